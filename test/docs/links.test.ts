// No link of a page leads nowhere, and every page is on the map.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allPages, readPage, root, targetOf } from './markdown.ts';

const pages = new Map(allPages().map((path) => [path, readPage(path)]));

test('relative links lead to a file that is there, and to an anchor that is in it', () => {
  const broken: string[] = [];
  let count = 0;
  for (const { path, links } of pages.values()) {
    for (const { to, line } of links) {
      if (/^[a-z]+:/.test(to)) continue;
      count += 1;
      const target = targetOf(path, to);
      const page = pages.get(target.path);
      const isThere = existsSync(join(root, target.path));
      const hasAnchor = target.anchor === null || page === undefined || page.anchors.has(target.anchor);
      if (!isThere || !hasAnchor) broken.push(`${path}:${line}: ${to}`);
    }
  }
  expect(broken).toEqual([]);
  expect(count).toBeGreaterThan(100);
});

test('docs/README.md names every page of docs', () => {
  const map = readPage('docs/README.md');
  const named = map.links.map(({ to }) => targetOf(map.path, to).path);
  const all = [...pages.keys()].filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== map.path);
  expect(named).toEqual(expect.arrayContaining([...all, 'docs/api/README.md']));
});

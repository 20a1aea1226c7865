// Nothing that is public goes without a word in the pages that people wrote, nor any command of the command line.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allPages, root } from './markdown.ts';

const texts = allPages()
  .filter((path) => !path.startsWith('docs/api/'))
  .map((path) => readFileSync(join(root, path), 'utf8'));
const words = new Set(texts.flatMap((text) => text.match(/\w+/g) ?? []));

test.each(['src/index.ts', 'src/postgres/index.ts', 'src/reconciliation/index.ts', 'src/testing/index.ts'])(
  'each name that %s exports stands in a page',
  (file) => {
    const source = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    const lists = [...source.matchAll(/export (?:type )?\{([^}]+)\}/g)].flatMap(([, list = '']) =>
      list.split(','),
    );
    const names = [
      ...lists.map((name) =>
        name
          .trim()
          .replace(/^type /, '')
          .replace(/^\w+ as /, '')
          .replace(/^type /, ''),
      ),
      ...[...source.matchAll(/export (?:async )?(?:function|class|const|interface) (\w+)/g)].map(
        ([, name]) => name,
      ),
    ].filter((name) => name !== '');
    expect(names.length).toBeGreaterThan(4);
    expect(names.filter((name) => !words.has(name as string))).toEqual([]);
  },
);

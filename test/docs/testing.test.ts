// The guide of unstuck/testing shows the tests of examples/testing as they are.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readPage, root } from './markdown.ts';

const { blocks } = readPage('docs/testing.md');

test.each(blocks)('line $line of docs/testing.md is a part of its test', ({ code, remark }) => {
  const file = /^shown by: (examples\/testing\/\w+\.test\.ts)$/.exec(remark ?? '')?.[1];
  expect(file).toBeDefined();
  const text = readFileSync(join(root, file as string), 'utf8');
  const inside = code.replace(/^(?=.)/gm, '  ');
  expect([code, inside].some((part) => text.includes(part))).toBe(true);
});

test('it has some', () => {
  expect(blocks.length).toBeGreaterThan(6);
});

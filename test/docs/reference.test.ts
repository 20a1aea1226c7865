// docs/api and the tables of docs/options.md that are made of docstrings say what the sources say.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { folder, makeReference, optionsPage } from '../../scripts/api/reference.ts';

const out = mkdtempSync(join(tmpdir(), 'unstuck-'));
afterAll(() => rmSync(out, { recursive: true }));
let made: Awaited<ReturnType<typeof makeReference>>;
beforeAll(async () => {
  made = await makeReference(out);
}, 300_000);

/** The text of each file, by its path from the folder. */
function textsOf(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.md'),
  );
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
}

test('docs/api is what the docstrings say today (else: npm run api)', () => {
  const texts = textsOf(folder);
  expect(Object.keys(texts).length).toBeGreaterThan(30);
  expect(texts).toEqual(textsOf(out));
});

test('the tables of docs/options.md are what the docstrings say today (else: npm run api)', () => {
  expect(readFileSync(optionsPage, 'utf8')).toBe(made.page);
});

test('every public name has a docstring', () => {
  expect(made.complaints).toEqual([]);
});

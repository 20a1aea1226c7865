// The measure of coverage itself: what it adds up, what it misses, and what it does not let pass.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { measure } from './measure.ts';
import { runMeasured } from './runMeasured.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unstuck-'));
  mkdirSync(join(root, 'counts'));
});
afterEach(() => rmSync(root, { recursive: true }));

const source = `const way: string | undefined = process.argv[2];
export function take(chosen: string | undefined): number {
  if (chosen === 'left') return 1;
  return [1, 2].filter((item) => item > 1).length;
}
take(way);
if (way === 'killed') process.kill(process.pid, 'SIGKILL');
`;

function run(...ways: string[]) {
  for (const way of ways) runMeasured(join(root, 'counts'), [join(root, 'source.ts'), way], 'ignore');
  return measure(join(root, 'counts'), pathToFileURL(`${root}/`), '*.ts');
}

test('what several processes ran is added up, that of one that killed itself too', async () => {
  writeFileSync(join(root, 'source.ts'), source);
  const { files, missing } = await run('left', 'killed');
  expect(missing).toEqual([]);
  expect(files).toEqual({
    'source.ts': { lines: 5, linesRun: 5, branches: 4, branchesRun: 4, functions: 2, functionsRun: 2 },
  });
});

test('what one was writing when it was killed is passed over', async () => {
  writeFileSync(join(root, 'source.ts'), source);
  writeFileSync(join(root, 'counts', 'half.json'), '{"result":[{"scriptId":');
  expect((await run('left')).files['source.ts']).toMatchObject({ lines: 5, linesRun: 4 });
});

test('what none of them ran is told by its place, a file that nobody loaded too', async () => {
  writeFileSync(join(root, 'source.ts'), source);
  writeFileSync(join(root, 'unloaded.ts'), 'export const never: number = 7;\n');
  const { files, missing } = await run('left');
  expect(missing).toEqual([
    { place: 'source.ts:4:1', what: 'line not run: return [1, 2].filter((item) => item > 1).length;' },
    { place: 'source.ts:3:3', what: "always true: if (chosen === 'left') return 1;" },
    { place: 'source.ts:7:1', what: expect.stringContaining('never true: if (way') },
    { place: 'source.ts:4:34', what: 'function not called: item > 1).length;' },
    { place: 'unloaded.ts:1:1', what: 'line not run: export const never: number = 7;' },
  ]);
  expect(files['unloaded.ts']).toMatchObject({ lines: 1, linesRun: 0 });
});

test('what is left out is told with its reason, and without one it is not let pass', async () => {
  const left = (reason: string) =>
    source.replace('  return [', `  /* v8 ignore next${reason} */\n  return [`);
  writeFileSync(join(root, 'source.ts'), left(' -- as an example'));
  const { excluded } = await run('left');
  expect(excluded).toEqual([{ place: 'source.ts:4', reason: 'as an example' }]);
  writeFileSync(join(root, 'source.ts'), left(''));
  await expect(run()).rejects.toThrow('source.ts:4: expected a reason');
});

// The README's first lines are those of the examples that run; its commands are those of CI; its settings are today's.
// All other code of the pages: codeBlocks.test.ts.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withMarked } from '../../scripts/marked.ts';
import { optionsPage, optionsTable } from '../../scripts/optionsTable.ts';
import { readPage } from './markdown.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = readPage('README.md');

test('the settings table of docs/options.md is what the settings are (else: npm run options)', () => {
  const text = readFileSync(optionsPage, 'utf8');
  expect(text).toContain(optionsTable);
  expect(withMarked(text, 'options', optionsTable)).toBe(text);
});

test.each([
  ['README.md', 'first/invoices.ts'],
  ['README.md', 'first/app.ts'],
  ['docs/live-page.md', 'mount/mounts.ts'],
])('%s shows the example %s as it is', (page, file) => {
  const shown = readPage(page).blocks.find(({ code }) => code.startsWith(`// ${basename(file)}: `));
  expect(shown?.code).toBe(read(`examples/${file}`).replace('../../src/index.ts', 'unstuck'));
});

test('the first example runs, and ends as its comments say', () => {
  const app = fileURLToPath(new URL('../../examples/first/app.ts', import.meta.url));
  const said = execFileSync(process.execPath, [app], { encoding: 'utf8' });
  expect(said).toContain('{ sent: 4 }');
  expect(said).toContain("{ customer: 'Bob', attempt: 1 }");
  expect(said).toContain("{ customer: 'Carol', attempt: 2 }");
  expect(said).toContain('Successfully timed out stuck job');
});

test('CI runs the two commands that the README gives', () => {
  for (const command of ['npm ci && npm start', 'npm ci && npm test']) {
    expect(readme.blocks.some(({ code }) => code.includes(command))).toBe(true);
    expect(read('.ci/run')).toContain(command);
  }
});

test('the reconcile command of the README runs, and finds the planted differences', () => {
  const code = readme.blocks.map((block) => block.code).join('\n');
  const command = /^npx unstuck (reconcile .*?)(?: #.*)?$/m.exec(code)?.[1] ?? '';
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const out = `reconciled/readme-${process.pid}`;
  const args = ['bin/unstuck.js', ...command.split(' '), '--json', '--quiet', '--out', out];
  const run = () => execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  try {
    run();
    expect.unreachable('there are differences');
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', left: 4000, attempts: 1 });
  } finally {
    execFileSync('rm', ['-rf', `${root}${out}`]);
  }
});

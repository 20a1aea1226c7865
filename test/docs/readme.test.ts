// What the README shows is what runs: its commands, its code, its table of options.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withMarked } from '../../scripts/marked.ts';
import { optionsTable } from '../../scripts/optionsTable.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const readme = read('README.md');
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, code = '']) => ({
  language,
  code,
}));

test('the options table is what the settings are (else: npm run options)', () => {
  expect(readme).toContain(optionsTable);
  expect(withMarked(readme, 'options', optionsTable)).toBe(readme);
});

test.each(['first/invoices.ts', 'first/app.ts', 'mount/mounts.ts'])(
  'the example %s is the one that runs',
  (file) => {
    const shown = blocks.find(({ code }) => code.startsWith(`// ${basename(file)}: `));
    expect(shown?.code).toBe(read(`examples/${file}`).replace('../../src/index.ts', 'unstuck'));
  },
);

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
    expect(blocks.some(({ code }) => code.includes(command))).toBe(true);
    expect(read('.ci/run')).toContain(command);
  }
});

test('the reconcile command of the README runs, and finds the planted differences', () => {
  const command = /^npx unstuck (reconcile .*)$/m.exec(readme)?.[1] ?? '';
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

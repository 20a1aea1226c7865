// Before anything runs: the check of the Node version, and of the one part that is not installed with the package.

import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, run, sample, temporaryFolder } from './commandLine.ts';

test.each(['12.22.12', '20.20.0', '22.17.1'])('on Node %s one line says what to do', async (version) => {
  const check = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } }); require('${root}/bin/checkNode.cjs')`;
  const { code, stdout, stderr } = await run([check], { cwd: root, main: '-e' });
  expect(stderr).toMatch(new RegExp(`^unstuck needs Node.js 22.18 or newer, this is ${version}\\..*\\n$`));
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('without DuckDB one line says how to install it, and nothing is made', async () => {
  const cwd = temporaryFolder();
  for (const name of ['bin', 'src', 'package.json'])
    cpSync(join(root, name), join(cwd, name), { recursive: true });
  mkdirSync(join(cwd, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@duckdb') symlinkSync(join(root, 'node_modules', name), join(cwd, 'node_modules', name));
  }
  const files = [join(sample, 'bank.csv'), join(sample, 'ledger.csv')];
  const { code, stderr } = await run(['reconcile', ...files, '--key', 'id'], {
    cwd,
    main: join(cwd, 'bin/unstuck.js'),
  });
  expect(stderr).toMatch(/^error: .*npm install @duckdb\/node-api\n$/);
  expect(readdirSync(cwd).sort()).toEqual(['bin', 'node_modules', 'package.json', 'src']);
  expect(code).toBe(2);
});

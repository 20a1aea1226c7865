// What the pages show runs: every block of code in README.md and docs is run, type-checked, or proven otherwise. What may
// stand in a page says pageRun.ts.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allPages, readPage, root } from './markdown.ts';
import { makeProject, nameOfThisRun, type PageFiles, writePage } from './pageProject.ts';
import { runPage } from './pageRun.ts';
import { findPeers, type Peers, removeTraces } from './peers.ts';

const paths = allPages().filter((path) => path === 'README.md' || /^docs\/[^/]+$/.test(path));
const project = mkdtempSync(join(tmpdir(), 'unstuck-docs-'));

const files = new Map<string, PageFiles>();
const runs = new Map<string, ReturnType<typeof runPage>>();

let peers: Peers;

beforeAll(async () => {
  peers = await findPeers();
  makeProject(project);
  for (const path of paths) files.set(path, await writePage(readPage(path), project));
  // Two at a time.
  let free: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  for (const [path, written] of files) {
    const [next, ...others] = free;
    const run = (next as Promise<unknown>).then(() => runPage(written, peers));
    runs.set(path, run);
    free = [...others, run.catch(() => {})];
  }
});

afterAll(async () => {
  await Promise.allSettled(runs.values());
  removeTraces(project, peers, nameOfThisRun);
  rmSync(project, { recursive: true, force: true });
});

test.each(paths)('the code of %s runs, and prints what it says', async (path) => {
  const { wrong, leftOut } = (await runs.get(path)) as Awaited<ReturnType<typeof runPage>>;
  expect(wrong.join('\n')).toBe('');
  for (const block of leftOut) console.log(`not run: ${block}`);
});

test('their TypeScript compiles', () => {
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
    module: 'nodenext',
    moduleDetection: 'force',
    types: ['node'],
    strict: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const include = paths.map((path) => `${path.replace(/\.md$/, '').replaceAll('/', '-')}/**/*.ts`);
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include, exclude: ['**/node_modules', '**/examples'] }),
  );
  let errors = '';
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
      encoding: 'utf8',
    });
  } catch (error) {
    errors = (error as { stdout: string }).stdout;
  }
  expect(errors).toBe('');
});

test('what is not run says why', () => {
  const left = [...files.values()].flatMap(({ page, notRun }) =>
    notRun.map(({ line, remark }) => `${page.path}:${line}: ${remark}`),
  );
  console.log(`${left.length} blocks are not run:\n${left.join('\n')}`);
  expect(left.length).toBeLessThan(10);
});

// What the pages show runs: every block of code in README.md and docs is run, type-checked, or proven otherwise. What may
// stand in a page says pageRun.ts.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensurePeers } from '../../bench/peers/install.ts';
import { allPages, readPage, root } from './markdown.ts';
import { makeProject, type PageFiles, writePage } from './pageProject.ts';
import { type Peers, runPage } from './pageRun.ts';

const paths = allPages().filter((path) => path === 'README.md' || /^docs\/[^/]+$/.test(path));
const project = mkdtempSync(join(tmpdir(), 'unstuck-docs-'));
afterAll(() => rmSync(project, { recursive: true, force: true }));

const files = new Map<string, PageFiles>();
const runs = new Map<string, ReturnType<typeof runPage>>();

beforeAll(async () => {
  const peers = await findPeers();
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

async function findPeers(): Promise<Peers> {
  let isInstalled = true;
  try {
    ensurePeers();
  } catch {
    isInstalled = false;
  }
  const [redis, postgres] = await Promise.all([listens(6379), listens(5432)]);
  return { bullmq: isInstalled && redis, 'pg-boss': isInstalled && postgres, bree: isInstalled };
}

function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

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

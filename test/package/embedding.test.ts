// The examples of an app that embeds jobs, each as the process that it is: it takes a request, its job runs, its probes
// answer, and SIGTERM ends it with 0 and nothing left behind. In them `unstuck` is the sources of this checkout.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { children, isAlive } from '../support/processes.ts';
import { wait } from '../support/spawnedHost.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const examples = join(root, 'examples/embedding');
let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
});
afterEach(() => {
  for (const { pid, exitCode, signalCode } of running.splice(0))
    if (exitCode === null && signalCode === null) process.kill(pid as number, 'SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Its address, once it listens; and how it ends when it is told to. */
async function start(script: string) {
  const flags = ['--import', join(examples, 'source.js')];
  const app = spawn(process.execPath, [...flags, script], {
    cwd: folder,
    env: { ...process.env, PORT: '0', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(app);
  let said = '';
  for (const stream of [app.stdout, app.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const ended = new Promise<number | string | null>((resolve) =>
    app.once('close', (code, signal) => resolve(code ?? signal)),
  );
  const port = () => /listening .*port: (\d+)/.exec(said)?.[1];
  while (port() === undefined && app.exitCode === null) await wait(20);
  expect(port(), said).toBeDefined();
  return {
    url: `http://127.0.0.1:${port()}`,
    async stop() {
      const left = children(app.pid);
      app.kill('SIGTERM');
      expect(await ended, said).toBe(0);
      expect(left.filter(isAlive)).toEqual([]);
    },
  };
}

/** Submits a report to `url`, and follows it to its end. */
async function runsAJob(url: string) {
  const submitted = await fetch(`${url}/reports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"month":"May"}',
  });
  expect(submitted.status).toBe(202);
  const { id } = (await submitted.json()) as { id: string };
  for (;;) {
    const status = (await (await fetch(`${url}/reports/${id}`)).json()) as { state: string };
    if (status.state === 'completed') return;
    expect(['queued', 'running']).toContain(status.state);
    await wait(20);
  }
}

async function answersProbes(url: string) {
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', reasons: [] }]);
}

test.each(['express.ts', 'fastify.ts', 'plain/app.js', 'plain/app.cjs'])('%s', async (file) => {
  const app = await start(join(examples, file));
  await answersProbes(app.url);
  await runsAJob(app.url);
  if (!file.startsWith('plain')) {
    const page = await fetch(`${app.url}/jobs/`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('page.js');
    expect((await fetch(`${app.url}/jobs/page.js`)).status).toBe(200);
  }
  await app.stop();
});

test('nest/main.ts, compiled as an app of NestJS is', async () => {
  const compiled = join(examples, 'nest/dist');
  rmSync(compiled, { recursive: true, force: true });
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(examples, 'nest')]);
  const app = await start(join(compiled, 'examples/embedding/nest/main.js'));
  await answersProbes(app.url);
  await runsAJob(app.url);
  await app.stop();
});

test('worker/app.ts only submits, and worker/worker.ts runs it', async () => {
  const app = await start(join(examples, 'worker/app.ts'));
  expect((await fetch(`${app.url}/livez`)).status).toBe(200);
  expect((await fetch(`${app.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${app.url}/reports/nobody`)).status).toBe(404);
  const worker = await start(join(examples, 'worker/worker.ts'));
  await answersProbes(worker.url);
  await runsAJob(app.url);
  await app.stop();
  await worker.stop();
});

// `--inspect`: the live page of a run, as long as it runs.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { largeSample, run, start, temporaryFolder } from './commandLine.ts';

const args = ['reconcile', 'left.csv', 'right.csv', '--key', 'id'];

async function listening() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test('the page of a run shows its job, and is gone with it', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const { port, close } = await listening();
  close();
  const running = start([...args, '--inspect', String(port)], { cwd });
  await running.said(`Live page: http://127.0.0.1:${port}/#token=`);
  const answer = await fetch(`http://127.0.0.1:${port}/jobs`);
  const { jobs } = (await answer.json()) as { jobs: { name: string }[] };
  expect(jobs.map(({ name }) => name)).toEqual(['reconciliation']);
  running.process.kill('SIGINT');
  expect((await running.ended).code).toBe(130);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
});

test('a port that is taken is said, and nothing is begun', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const { port, close } = await listening();
  const { code, stderr } = await run([...args, '--inspect', String(port)], { cwd });
  close();
  expect(code).toBe(2);
  expect(stderr).toContain(`--inspect: expected a port that is free, got ${port}, which is taken.`);
});

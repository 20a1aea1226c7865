// The metrics as Prometheus scrapes them, and docs/metrics.md has it: from the live page, and from `unstuck work --metrics`.
// Real servers, real processes.

import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { serveMetrics } from '../../src/inspector/metricsServer.ts';
import { root, run, temporaryFolder } from '../cli/commandLine.ts';
import { JobCommands, registry } from '../cli/jobs/jobCommands.ts';
import { parseExposition } from './exposition.ts';

/** As `fetch` cannot: with a Host of one's own. */
async function ask(url: string, { host, method = 'GET' }: { host?: string; method?: string } = {}) {
  const asked = request(url, { method, headers: host === undefined ? {} : { host } }).end();
  const [answer] = await once(asked, 'response');
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += part;
  return { status: answer.statusCode as number, type: answer.headers['content-type'] as string, text };
}

const jobs = { steady: defineJob({ run: (input: number) => input }) };
const open = () => new JobProcessor({ engine: 'memory', jobs, logger: pino({ level: 'silent' }) });

test('the live page serves them where it was told to, under its rules of access', async () => {
  await using processor = open();
  const { url } = await processor.inspect({ metrics: true });
  await processor.start();
  await (await processor.submit('steady', 1)).result();
  const { status, type, text } = await ask(`${url}metrics`);
  expect({ status, type }).toEqual({ status: 200, type: 'text/plain' });
  const { types, samples } = parseExposition(text);
  expect(types.get('unstuck_job_ended_total')).toBe('counter');
  expect(types.get('messaging_process_duration')).toBe('histogram');
  expect(samples).toContainEqual({
    name: 'unstuck_job_ended_total',
    labels: { messaging_destination_name: 'steady', unstuck_job_state: 'completed' },
    value: 1,
  });
  expect((await ask(`${url}metrics`, { host: 'evil.example' })).status).toBe(403);
  expect((await ask(`${url}metrics`, { method: 'DELETE' })).status).toBe(405);
});

test('the live page has none where it was not told to', async () => {
  await using processor = open();
  const { url } = await processor.inspect();
  expect((await ask(`${url}metrics`)).status).toBe(404);
});

test('a worker serves them, on this machine, and nothing else', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work('--metrics', '0', '--inspect');
  const said = await worker.printed(/"metrics: (http:\/\/127\.0\.0\.1:\d+\/metrics)"/);
  const [, url = ''] = /"metrics: (http:\/\/[^"]+)"/.exec(said) ?? [];
  const [, page = ''] = /inspect: (http:[^#]+)#/.exec(said) ?? [];
  const waited = await unstuck.run('submit', registry, 'ways', '"throw"', '--wait');
  expect(waited.code).toBe(2);
  for (const address of [url, new URL('metrics', page).href]) {
    const { samples } = parseExposition((await ask(address)).text);
    const failed = samples.find(
      ({ name, labels }) =>
        name === 'messaging_process_duration_count' && labels.unstuck_attempt_outcome === 'failed',
    );
    expect(failed).toMatchObject({
      labels: {
        messaging_destination_name: 'ways',
        error_type: 'E_PLANNED',
        messaging_system_name: 'unstuck',
      },
      value: 1,
    });
  }
  expect((await ask(new URL('/', url).href)).status).toBe(404);
  expect((await ask(new URL('/jobs', url).href)).status).toBe(404);
  expect((await ask(url, { method: 'POST' })).status).toBe(405);
  expect((await ask(url, { host: 'evil.example' })).status).toBe(403);
  expect((await ask(url, { host: 'localhost:9464' })).status).toBe(200);
  worker.process.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
  await expect(ask(url)).rejects.toThrow('ECONNREFUSED');
});

test('told to listen to other hosts, it answers by whatever name they reach it', async () => {
  const handle = (_: unknown, response: { end(text: string): void }) => response.end('here');
  const server = await serveMetrics({ handle }, { host: '0.0.0.0', port: 0 });
  const { port } = new URL(server.url);
  const answer = await ask(`http://127.0.0.1:${port}/metrics`, { host: 'worker-3.jobs.example:9464' });
  await server.close();
  expect(answer).toMatchObject({ status: 200, text: 'here' });
});

test('a port that is taken is said, and nothing is begun', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const { code, stdout, stderr } = await new JobCommands().run('work', registry, '--metrics', String(port));
  taken.close();
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(
    `--metrics: expected a port that is free, got 127.0.0.1:${port}, which is taken. Port 0 is a free one.`,
  );
});

test('an address that is none is refused', async () => {
  for (const address of ['here', '9464x', '70000', 'host:', ':9464', 'a b:9464']) {
    const { code, stderr } = await new JobCommands().run('work', registry, '--metrics', address);
    expect({ address, code }).toEqual({ address, code: 2 });
    expect(stderr).toContain('Expected PORT or HOST:PORT, such as 9464 or 0.0.0.0:9464.');
  }
});

test('a package that is missing is said, and how to get it', async () => {
  const { code, stderr } = await run(['work', registry, '--metrics', '0', '--engine', 'sqlite:jobs.db'], {
    cwd: temporaryFolder(),
    env: { NODE_OPTIONS: `--import ${join(root, 'test/fixtures/withoutPrometheus.js')}` },
  });
  expect(code).toBe(2);
  expect(stderr).toContain(
    '--metrics: expected the packages @opentelemetry/exporter-prometheus and @opentelemetry/sdk-metrics to be installed, got none. Run: npm install @opentelemetry/exporter-prometheus @opentelemetry/sdk-metrics',
  );
});

// Clients that mean no good, and clients that are broken: each costs its own connection and nothing else.

import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { namesOf } from '../../src/inspector/access.ts';
import type { Inspector } from '../../src/inspector/inspector.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { wait } from '../support/spawnedHost.ts';

const jobs = {
  hold: defineJob({
    run: (_: null, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
};
let processor: JobProcessor<typeof jobs>;
let inspector: Inspector;
let id: string;
beforeEach(async () => {
  processor = await new JobProcessor({ engine: 'memory', jobs, logger: capturedLog().logger }).start();
  inspector = await processor.inspect();
  id = (await processor.submit('hold', null)).id;
});
afterEach(async () => {
  await inspector.close();
  await processor.stop();
});

interface Ask {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

function ask({
  method = 'GET',
  path = '/',
  headers = {},
  body,
}: Ask): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    // As it stands, and not as URL would make it.
    const asked = request(inspector.url as string, { method, headers, path }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const state = async () => (await (await processor.get(id)).status()).state;
const cancel = (more: Ask = {}) => ask({ method: 'POST', path: `/jobs/${id}/cancel`, ...more });
const bearer = () => ({ authorization: `Bearer ${inspector.token}` });

test.each([
  ['a foreign Host', { host: 'evil.example:80' }, 403, 'host: expected localhost'],
  ['no token', {}, 401, 'got none'],
  ['a wrong token', { authorization: 'Bearer wrong' }, 401, 'got another one'],
])('an act with %s is refused', async (_, headers, status, message) => {
  const answer = await cancel({ headers });
  expect(answer.status).toBe(status);
  expect(answer.text).toContain(message);
  expect(await state()).toBe('running');
});

test('an act, or a look, from a foreign page is refused, token or not', async () => {
  const foreign: Record<string, string>[] = [
    { origin: 'http://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of foreign) {
    expect((await cancel({ headers: { ...bearer(), ...headers } })).status).toBe(403);
    expect((await ask({ path: '/jobs', headers })).status).toBe(403);
    expect((await ask({ path: '/events', headers })).status).toBe(403);
  }
  expect(await state()).toBe('running');
});

test('a name that was pointed here is refused (DNS rebinding), one that was allowed is not', async () => {
  expect((await ask({ headers: { host: 'rebound.example' } })).status).toBe(403);
  await using named = await processor.inspect({ allowedHosts: ['jobs.example'] });
  const first = inspector;
  inspector = named;
  expect((await ask({ headers: { host: 'jobs.example' } })).status).toBe(200);
  inspector = first;
});

test.each([
  ['no JSON', '{"by":', 'body: expected a JSON object'],
  ['no object', '[1]', 'body: expected a JSON object'],
  ['a field of another kind', '{"reason":{}}', 'reason: expected a text'],
  ['a text without end', `{"reason":"${'x'.repeat(300)}"}`, 'reason: expected a text of at most 200'],
])('an act with a body that is %s is refused', async (_, body, message) => {
  const answer = await cancel({ headers: bearer(), body });
  expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(message) });
  expect(await state()).toBe('running');
});

test('a body of 10 MB is not read to its end', async () => {
  const answer = await cancel({ headers: bearer(), body: Buffer.alloc(10_000_000, 'x') }).catch(() => null);
  if (answer !== null)
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('at most 65536') });
  expect(await state()).toBe('running');
  expect((await ask({ path: '/jobs' })).status).toBe(200);
});

test.each([
  ['/jobs?state=nonsense', 400, 'state: expected one of'],
  ['/jobs?limit=-1', 400, 'limit: expected'],
  ['/jobs?from=yesterday', 400, 'from: expected a valid Date'],
  ['//', 404, 'no such page'],
  ['/jobs/nobody', 404, 'job nobody'],
  ['/jobs/%ff', 400, 'URI'],
  ['/../../package.json', 404, 'no such page'],
  ['/page/../../../package.json', 404, 'no such page'],
  ['/%2e%2e/package.json', 404, 'no such page'],
])('GET %s is answered with %i', async (path, status, message) => {
  expect(await ask({ path })).toMatchObject({ status, text: expect.stringContaining(message) });
});

test('bytes that are no HTTP close their connection, and no other', async () => {
  const { port } = new URL(inspector.url as string);
  const socket = connect(Number(port), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.write(Buffer.alloc(100_000, 0xff));
  await closed;
  expect((await ask({ path: '/jobs' })).status).toBe(200);
});

test('200 connections: some are turned away, and when they are gone it answers', async () => {
  const { port } = new URL(inspector.url as string);
  const sockets = Array.from({ length: 200 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
  await wait(300);
  expect(sockets.filter(({ destroyed }) => destroyed).length).toBeGreaterThan(50);
  for (const socket of sockets) socket.destroy();
  await wait(100);
  expect((await ask({ path: '/jobs' })).status).toBe(200);
});

test('a reader that never reads holds nobody up, and costs no memory', async () => {
  const { port } = new URL(inspector.url as string);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  socket.pause();
  await wait(300);
  const before = process.memoryUsage().heapUsed;
  await processor.submitMany('hold', Array<null>(3000).fill(null));
  for (let n = 0; n < 50; n += 1) {
    await processor.submitMany('hold', Array<null>(20).fill(null));
    await wait(20);
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100e6);
  expect((await ask({ path: '/jobs' })).status).toBe(200);
  socket.destroy();
});

test('nobody looks: nothing is listened to', async () => {
  expect(processor.listenerCount('running')).toBe(0);
  const { port } = new URL(inspector.url as string);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  expect(processor.listenerCount('running')).toBe(1);
  socket.destroy();
  while (processor.listenerCount('running') > 0) await wait(10);
});

/** A WebSocket's request, word for word. */
function rawUpgrade(path: string, host: string, options: { allowHalfOpen?: boolean } = {}) {
  const { port } = new URL(inspector.url as string);
  const socket = connect({ port: Number(port), host: '127.0.0.1', ...options }).on('error', () => {});
  socket.resume();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  return socket;
}

test('a WebSocket to an address that is none costs its own connection', async () => {
  for (const [path, host] of [
    ['//', 'localhost'],
    ['//', 'evil.example'],
    ['http://[', 'localhost'],
  ] as const) {
    const socket = rawUpgrade(path, host);
    await new Promise((resolve) => socket.once('close', resolve));
  }
  expect((await ask({ path: '/jobs' })).status).toBe(200);
});

test('who is refused and stays on the line keeps nothing open', async () => {
  const sockets = Array.from({ length: 120 }, () =>
    rawUpgrade('/nothing', 'evil.example', { allowHalfOpen: true }),
  );
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once('end', resolve).once('close', resolve))),
  );
  expect((await ask({ path: '/jobs' })).status).toBe(200);
  await inspector.close();
  for (const socket of sockets) socket.destroy();
});

test('a page that comes and goes does not hurry the others', async () => {
  const { body } = await fetch(new URL('events', inspector.url as string));
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  let messages = 0;
  const reading = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      messages += new TextDecoder().decode(value).split('data: ').length - 1;
    }
  })();
  const beganAt = performance.now();
  for (let n = 0; n < 60; n += 1) {
    const stop = new AbortController();
    await fetch(new URL('events', inspector.url as string), { signal: stop.signal });
    stop.abort();
  }
  const rounds = (performance.now() - beganAt) / 250;
  expect(messages).toBeLessThanOrEqual(rounds + 2);
  await reader.cancel();
  await reading;
});

test('with a page open the processor stops, and the page is told no more', async () => {
  const { body } = await fetch(new URL('events', inspector.url as string));
  await processor.stop();
  for await (const _ of body ?? []);
  expect(processor.listenerCount('running')).toBe(0);
  await expect(fetch(inspector.url as string)).rejects.toThrow();
});

test('a closed one does nothing more, wherever it is mounted', async () => {
  const mounted = await processor.inspect({ port: null });
  await using server = createServer(mounted.handle).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await mounted.close();
  const headers = { authorization: `Bearer ${mounted.token}` };
  expect((await fetch(`${address}/events`)).status).toBe(503);
  expect((await fetch(`${address}/jobs/${id}/cancel`, { method: 'POST', headers })).status).toBe(503);
  expect(await state()).toBe('running');
  expect(processor.listenerCount('running')).toBe(0);
});

test('one that cannot listen is refused, and leaves nothing behind', async () => {
  const { port } = new URL(inspector.url as string);
  await expect(processor.inspect({ port: Number(port) })).rejects.toThrow('EADDRINUSE');
  await expect(processor.inspect({ port: 70_000 })).rejects.toThrow(
    'port: expected a whole number from 0 to 65535, or null, got 70000.',
  );
});

test('an address that is listened on is one by which it may be reached, as a browser writes it', () => {
  expect(namesOf('::ffff:127.0.0.1')).toEqual(['[::ffff:7f00:1]']);
  expect(namesOf('::1')).toEqual(['[::1]']);
  expect(namesOf('Jobs.Example')).toEqual(['jobs.example']);
});

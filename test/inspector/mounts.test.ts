// The live page in servers of the app: node:http, Express and Fastify as they are, on a port of their own.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { inExpress, inFastify, inNodeHttp } from '../../examples/mount/mounts.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import type { InspectOptions, Inspector } from '../../src/inspector/inspector.ts';
import { hasBrowser, OpenBrowser } from '../support/browser.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

const jobs = {
  hold: defineJob({
    run: (_: null, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
};

const fastifyServer = async (inspector: Inspector) => {
  const app = inFastify(inspector);
  await app.ready();
  return app.server;
};

const ways: [string, InspectOptions, (inspector: Inspector) => Server | Promise<Server>][] = [
  ['node:http', { path: '/ops' }, inNodeHttp],
  ['Express after a parser of bodies', { path: '/ops' }, (mounted) => createServer(inExpress(mounted))],
  [
    'Express, which says where it is mounted',
    {},
    ({ handle }) => createServer(express().use('/ops', handle)),
  ],
  ['Fastify', { path: '/ops' }, fastifyServer],
];

let log: CapturedLog;
let processor: JobProcessor<typeof jobs>;
let inspector: Inspector;
let origin: string;
let id: string;
let close: () => Promise<void>;

beforeEach(async () => {
  log = capturedLog();
  processor = await new JobProcessor({ engine: 'memory', jobs, logger: log.logger }).start();
  const running = once(processor, 'running');
  id = (await processor.submit('hold', null)).id;
  await running;
  close = async () => {};
});
afterEach(async () => {
  await close();
  await processor.stop();
});

async function listen(options: InspectOptions, mount: (typeof ways)[number][2]): Promise<void> {
  inspector = await processor.inspect({ port: null, ...options });
  const server = await mount(inspector);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    await inspector.close();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
}

const stateNow = async () => (await (await processor.get(id)).status()).state;

const cancel = (body: string | undefined, headers: Record<string, string> = {}) =>
  fetch(`${origin}/ops/jobs/${id}/cancel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${inspector.token}`, ...headers },
    body,
  });

describe.each(ways)('mounted in %s', (_, options, mount) => {
  beforeEach(() => listen(options, mount));

  test('the page, what it loads and what it lists are there', async () => {
    const page = await fetch(`${origin}/ops/`);
    expect(await page.text()).toContain('<title>Unstuck</title>');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const asset of ['page.js', 'page.css', 'library.js', 'chart'])
      expect({ asset, status: (await fetch(`${origin}/ops/${asset}`)).status }).toEqual({
        asset,
        status: 200,
      });
    const list = await fetch(`${origin}/ops/jobs?state=running&limit=5`);
    expect(await list.json()).toMatchObject({ jobs: [{ id }], next: null });
    expect((await fetch(`${origin}/ops/nothing`)).status).toBe(404);
    expect((await fetch(`${origin}/ops/jobs`, { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(
      403,
    );
  });

  test('without a slash at its end it is found too, with what was asked', async () => {
    const redirect = await fetch(`${origin}/ops?a=1`, { redirect: 'manual' });
    expect({ status: redirect.status, location: redirect.headers.get('location') }).toEqual({
      status: 307,
      location: './ops/?a=1',
    });
    const page = await fetch(`${origin}/ops`);
    expect(page.url).toBe(`${origin}/ops/`);
    expect(await page.text()).toContain('<title>Unstuck</title>');
  });

  test('an act is refused without the token, and done with it, for the reason and in the name that it brings', async () => {
    const refused = await cancel('{"by":"Ann"}', { authorization: '' });
    expect({ status: refused.status, state: await stateNow() }).toEqual({ status: 401, state: 'running' });
    const done = await cancel('{"by":"Ann","reason":"the wrong file"}');
    expect(await done.json()).toMatchObject({ id, state: 'cancelled', reason: 'the wrong file' });
    expect(log.lines.join('\n')).toContain(`cancel of job ${id} asked for on the page by Ann at 127.0.0.1`);
  });

  test('an act that brings no body is done, one that brings no object is refused', async () => {
    expect(await (await cancel('["Ann"]')).json()).toEqual({
      error: 'body: expected a JSON object, got something else.',
    });
    expect(await stateNow()).toBe('running');
    const done = await fetch(`${origin}/ops/jobs/${id}/timeout`, {
      method: 'POST',
      headers: { authorization: `Bearer ${inspector.token}` },
    });
    expect(await done.json()).toMatchObject({ id, state: 'timedOut' });
  });

  test('the feed tells what is alive at once', async () => {
    const { body } = await fetch(`${origin}/ops/events`);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    const text = new TextDecoder().decode(value);
    expect(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? 'null')).toMatchObject({
      isWhole: true,
      jobs: [{ id }],
    });
    await reader.cancel();
  });
});

describe.skipIf(!hasBrowser)('in a browser', () => {
  let browser: OpenBrowser;
  beforeAll(async () => {
    browser = await OpenBrowser.launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());

  test.each(ways)(
    'the page works in %s, and an act with its token, opened without a slash at its end',
    async (_, options, mount) => {
      await listen(options, mount);
      const page = await browser.page();
      await page.goto(`${origin}/ops#token=${inspector.token}`);
      await page.getByRole('button', { name: new RegExp(id) }).click();
      expect(new URL(page.url()).pathname).toBe('/ops/');
      expect(page.url()).not.toContain(inspector.token);
      await page.getByRole('button', { name: 'Cancel', exact: true }).click();
      await page.getByRole('button', { name: 'Yes, cancel it' }).click();
      await page.getByText('cancel: now cancelled').waitFor();
      expect(log.lines.join('\n')).toContain('asked for on the page by the page at 127.0.0.1');
      await page.context().close();
      expect(browser.errors.splice(0)).toEqual([]);
    },
  );
});

test('a body that another has read and kept is an error that says so', async () => {
  await listen({}, ({ handle }) =>
    createServer(async (request, response) => {
      for await (const _ of request);
      request.url = request.url?.slice('/ops'.length);
      handle(request, response);
    }),
  );
  const answer = await cancel('{"by":"Ann"}');
  expect({ status: answer.status, body: await answer.json() }).toEqual({
    status: 400,
    body: {
      error: 'body: expected one that nobody has read, or that is handed on as request.body, got neither.',
    },
  });
  expect(await stateNow()).toBe('running');
});

test.each(['text', 'raw'] as const)('a body that Express read with express.%s() counts', async (kind) => {
  const parser = express[kind]({ type: '*/*' });
  await listen({}, ({ handle }) => createServer(express().use(parser).use('/ops', handle)));
  expect(await (await cancel('{"reason":"not needed"}')).json()).toMatchObject({ reason: 'not needed' });
});

test('what is not below its path is no page of it', async () => {
  await listen({ path: '/ops' }, inNodeHttp);
  for (const path of ['/opsx/', '/ops/../jobs', '/ops/%2e%2e/jobs'])
    expect(await (await fetch(origin + path)).text()).not.toContain('"jobs"');
  expect(await (await fetch(`${origin}/opsx/jobs`)).json()).toEqual({ error: '/opsx/jobs: no such page' });
});

test('a server of its own is reached below the path too, and says so', async () => {
  await using own = await processor.inspect({ path: '/deep/ops' });
  expect(own.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/deep\/ops\/$/);
  expect(await (await fetch(own.url as string)).text()).toContain('<title>Unstuck</title>');
});

test.each(['', '/', 'ops', '/ops/', '/a b', 7])('the path %j is refused', async (path) => {
  await expect(processor.inspect({ port: null, path: path as string })).rejects.toThrow(
    'path: expected a path without a slash at its end, /ops say, got ',
  );
});

test('its WebSockets are served where it is mounted, and those of the app are left alone', async () => {
  await listen({ path: '/ops' }, (mounted) => {
    const app = new WebSocketServer({ noServer: true });
    return inNodeHttp(mounted)
      .on('upgrade', mounted.upgrade)
      .on('upgrade', (request, socket, head) => {
        if (request.url === '/app')
          app.handleUpgrade(request, socket, head, (client) => client.send('the app'));
      });
  });
  const heard = async (path: string, says: string) => {
    const client = new WebSocket(`${origin.replace('http', 'ws')}${path}`);
    client.on('open', () => client.send(says));
    const [message] = await once(client, 'message');
    client.terminate();
    return String(message);
  };
  expect(await heard('/ops/xstate', '{"type":"xstate.inspecting"}')).toContain('service.register');
  expect(await heard('/app', '')).toBe('the app');
});

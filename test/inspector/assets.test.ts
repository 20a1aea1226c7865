// What a browser loads for the live page, and the rules that come with it.

import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineJob, JobProcessor } from '../../src/index.ts';
import type { Inspector } from '../../src/inspector/inspector.ts';
import { capturedLog } from '../support/capturedLog.ts';

const processor = new JobProcessor({
  engine: 'memory',
  jobs: { noop: defineJob({ run: () => {} }) },
  logger: capturedLog().logger,
});
let inspector: Inspector;
let id: string;
beforeAll(async () => {
  await processor.start();
  inspector = await processor.inspect();
  id = (await processor.submit('noop')).id;
});
afterAll(async () => {
  await inspector.close();
  await processor.stop();
});

const ask = (path: string, init: RequestInit = {}) => fetch(new URL(path, inspector.url as string), init);

/** What a file names that the browser then loads too: in HTML, in a module, and what the page's script reads at once. */
const named = /(?:src="|href="|^import [^']* from '|read\(')([\w./-]+)["']/gm;

async function load(path: string, loaded = new Map<string, Buffer>()): Promise<Map<string, Buffer>> {
  if (loaded.has(path)) return loaded;
  const response = await ask(path);
  expect({ path, isThere: response.ok }).toEqual({ path, isThere: true });
  const body = Buffer.from(await response.arrayBuffer());
  loaded.set(path, body);
  if (path === '/' || (path.endsWith('.js') && path !== '/library.js'))
    for (const [, found = ''] of body.toString().matchAll(named))
      await load(new URL(found, new URL(path, 'http://page')).pathname, loaded);
  return loaded;
}

test('the whole page is less than 200 kB on its way', async () => {
  const loaded = await load('/');
  expect([...loaded.keys()]).toEqual(
    expect.arrayContaining(['/', '/page.js', '/job.js', '/page.css', '/library.js', '/chart']),
  );
  const sizes = [...loaded].map(([path, body]) => [path, gzipSync(body).length] as const);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  const figures = sizes.map(([path, size]) => `${path} ${size}`).join(', ');
  expect(total, `${total} bytes with gzip: ${figures}`).toBeLessThan(200_000);
});

test('every answer, an error too, forbids what the page does not hold itself', async () => {
  const auth = { authorization: `Bearer ${inspector.token}` };
  const asked: [string, RequestInit?][] = [
    ...[...(await load('/')).keys()].map((path): [string] => [path]),
    ['/jobs'],
    [`/jobs/${id}`],
    ['/queue'],
    ['/events'],
    ['/nothing'],
    ['/jobs?state=nonsense'],
    ['/', { method: 'PUT' }],
    ['/drain', { method: 'POST' }],
    [`/jobs/${id}/retry`, { method: 'POST', headers: auth, body: '[' }],
    [`/jobs/${id}/retry`, { method: 'POST', headers: auth }],
  ];
  for (const [path, init] of asked) {
    const { status, headers, body } = await ask(path, init);
    await body?.cancel();
    const policy = headers.get('content-security-policy') ?? 'none';
    expect({ path, status, policy }).toMatchObject({ policy: expect.stringContaining("default-src 'none'") });
    expect({ path, status, policy }).not.toMatchObject({ policy: expect.stringContaining('unsafe') });
  }
});

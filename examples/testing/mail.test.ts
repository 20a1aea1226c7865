// mail.test.ts
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { testProcessor } from 'unstuck/testing';
import { expect, test } from 'vitest';
import 'unstuck/testing/vitest';
import invoices from '../operating/invoices.ts';

test('a mail server that does not answer is asked again, after ten minutes without progress', async () => {
  const got: string[] = [];
  const server = createServer(async (request, response) => {
    const customer = await text(request);
    got.push(customer);
    if (customer !== 'Carol' || got.filter((name) => name === 'Carol').length > 1) response.end('sent');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const mail = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  // The job really sends. Nothing in it ends the wait; after half a second it is taken to hang, and time goes on.
  const runtime = await testProcessor({
    jobs: { invoices },
    patienceSeconds: 0.5,
    retry: { maxAttempts: 2 },
  });
  const job = await runtime.submit('invoices', { customers: ['Alice', 'Carol', 'Dave'], mail });
  await runtime.advance('11m');
  await expect(job).toHaveGone('queued → running → stopping (progress) → retrying → running → completed');
  expect(got).toEqual(['Alice', 'Carol', 'Carol', 'Dave']);
  await runtime.stop();
  server.closeAllConnections();
  server.close();
});

// A mail server to try it with: node mailServer.ts [PORT] [NAME]. It takes mail for NAME, and never answers.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

const [port = '4010', silentFor] = process.argv.slice(2);
const server = createServer(async (request, response) => {
  const customer = await text(request);
  if (customer !== silentFor) response.end('sent');
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`mail server at http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

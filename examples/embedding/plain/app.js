// Plain JavaScript, ES modules, nothing but node:http.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { JobProcessor } from 'unstuck';
import report from './report.js';

const processor = await new JobProcessor({ engine: 'memory', jobs: { report } }).start();

const routes = {
  'POST /reports': async (request) => {
    const { month } = await json(request);
    const { id } = await processor.submit('report', { month });
    return [202, { id }];
  },
  'GET /reports': async (_, id) => [200, await (await processor.get(id)).status()],
  // Alive: the event loop answers. Ready: jobs can start.
  'GET /livez': () => [200, 'ok'],
  'GET /readyz': async () => {
    const health = await processor.health();
    return [health.status === 'down' ? 503 : 200, health];
  },
};

const server = createServer(async (request, response) => {
  const [, path, id] = request.url.split('/');
  const route = routes[`${request.method} /${path}`] ?? (() => [404, 'not here']);
  const [status, body] = await (async () => route(request, id))().catch((error) => [
    400,
    { error: error.message },
  ]);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
  console.log('listening', server.address()),
);

process.once('SIGTERM', async () => {
  server.close();
  await processor.stop();
});

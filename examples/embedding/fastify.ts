// Fastify, TypeScript: the processor starts and stops with the app, the live page is at /jobs/.
import Fastify from 'fastify';
import { JobProcessor } from 'unstuck';
import report from './report.ts';

const processor = new JobProcessor({ engine: 'sqlite:jobs.db', jobs: { report } });
const inspector = await processor.inspect({ port: null, path: '/jobs' });
const app = Fastify();

app.addHook('onReady', async () => void (await processor.start()));
app.addHook('onClose', async () => {
  await inspector.close();
  await processor.stop();
});

app.post<{ Body: { month: string } }>('/reports', async (request, reply) => {
  const job = await processor.submit('report', { month: request.body.month });
  return reply.code(202).send({ id: job.id });
});
app.get<{ Params: { id: string } }>('/reports/:id', async (request) =>
  (await processor.get(request.params.id)).status(),
);
app.all('/jobs/*', (request, reply) => {
  reply.hijack();
  // Fastify has read the body: it is handed on.
  inspector.handle(Object.assign(request.raw, { body: request.body }), reply.raw);
});

// Alive: the event loop answers. Ready: jobs can start.
app.get('/livez', async () => 'ok');
app.get('/readyz', async (_, reply) => {
  const health = await processor.health();
  return reply.code(health.status === 'down' ? 503 : 200).send(health);
});

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
console.log('listening', app.server.address());
process.once('SIGTERM', () => app.close());

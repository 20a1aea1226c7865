// Runs what app.ts submits. Its probes are on a port of their own.
import { createServer } from 'node:http';
import { JobProcessor } from 'unstuck';
import report from '../report.ts';

const processor = await new JobProcessor({ engine: 'sqlite:jobs.db', jobs: { report } }).start();

const probes = createServer(async (request, response) => {
  if (request.url === '/livez') return response.end('ok');
  const health = await processor.health();
  return response.writeHead(health.status === 'down' ? 503 : 200).end(JSON.stringify(health));
});
probes.listen(Number(process.env.PORT ?? 3001), '127.0.0.1', () =>
  console.log('listening', probes.address()),
);

process.once('SIGTERM', async () => {
  probes.close();
  // What runs may end within 20 s; the rest goes back to the queue, its attempt not used up.
  await processor.drain({ graceSeconds: 20 });
  await processor.stop();
});

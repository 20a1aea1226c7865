// Express, TypeScript: jobs run in the app's own processor, the live page is at /jobs/.
import express from 'express';
import { JobProcessor } from 'unstuck';
import report from './report.ts';

const processor = await new JobProcessor({ engine: 'sqlite:jobs.db', jobs: { report } }).start();
const inspector = await processor.inspect({ port: null });
const app = express();

app.post('/reports', express.json(), async (request, response) => {
  const job = await processor.submit('report', { month: request.body.month });
  response.status(202).json({ id: job.id });
});
app.get('/reports/:id', async (request, response) => {
  response.json(await (await processor.get(request.params.id)).status());
});
app.use('/jobs', inspector.handle);

// Alive: the event loop answers. Ready: jobs can start.
app.get('/livez', (_, response) => void response.send('ok'));
app.get('/readyz', async (_, response) => {
  const health = await processor.health();
  response.status(health.status === 'down' ? 503 : 200).json(health);
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log('listening', server.address());
});
process.once('SIGTERM', async () => {
  server.close();
  await inspector.close();
  await processor.stop();
});

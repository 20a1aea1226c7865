// An app that only submits: worker.ts runs the jobs, in a process (and a deployment) of its own on the same file.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { JobNotFoundError, JobProcessor } from 'unstuck';
import report from '../report.ts';

// Not started: it takes jobs in and asks for them, and runs none.
const processor = new JobProcessor({ engine: 'sqlite:jobs.db', jobs: { report } });

const server = createServer(async (request, response) => {
  const answer = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
  try {
    if (request.method === 'POST') {
      const { month } = (await json(request)) as { month: string };
      const { id } = await processor.submit('report', { month });
      answer(202, { id });
    } else if (request.url === '/livez') answer(200, 'ok');
    // Ready: the file answers. Whether jobs run is the worker's to say.
    else if (request.url === '/readyz') answer(200, await processor.counts());
    else answer(200, await (await processor.get(request.url?.split('/')[2] ?? '')).status());
  } catch (error) {
    answer(error instanceof JobNotFoundError ? 404 : 503, { error: (error as Error).message });
  }
});
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
  console.log('listening', server.address()),
);

process.once('SIGTERM', async () => {
  server.close();
  await processor.stop();
});

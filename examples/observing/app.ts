// app.ts: submits within a span of its own, as of a request
import { trace } from '@opentelemetry/api';
import { JobProcessor } from '../../src/index.ts';
import report from './report.ts';

const processor = new JobProcessor({ engine: 'memory', jobs: { report } });
await processor.start();
await trace.getTracer('app').startActiveSpan('request', async (span) => {
  const job = await processor.submit('report', { month: 'May' });
  console.log(await job.result()); // { month: 'May', attempt: 2 }
  span.end();
});
await processor.stop();

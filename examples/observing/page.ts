// page.ts: an app without an SDK. Its live page serves /metrics to Prometheus.

import { defineJob, JobProcessor } from 'unstuck';

const jobs = { greet: defineJob({ run: (name: string) => `Hello ${name}` }) };
await using processor = new JobProcessor({ engine: 'memory', jobs });
const { url } = await processor.inspect({ metrics: true });
await processor.start();
const job = await processor.submit('greet', 'Ada');
await job.result();

const answer = await fetch(`${url}metrics`);
console.log(await answer.text());

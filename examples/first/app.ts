// app.ts: your service
import { JobProcessor } from '../../src/index.ts';
import invoices from './invoices.ts';

const processor = new JobProcessor({ engine: 'memory', jobs: { invoices } });
await processor.start();

const customers = ['Alice', 'Bob', 'Carol', 'Dave'];
const job = await processor.submit('invoices', { customers }, { chunkSize: 2 });
console.log(await job.result()); //=> { sent: 4 }
for await (const row of job.rows()) console.log(row); // Alice and Bob once, by attempt 1; the others by attempt 2
console.log((await job.status()).history); // queued, running, stopping (heartbeat), retrying, running, completed

await processor.stop();

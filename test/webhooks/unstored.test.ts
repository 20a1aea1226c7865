// What could not be stored when it happened: it is stored when the engine answers again, before what came after it.

import { expect, onTestFinished, test } from 'vitest';
import { EngineError, type NewJob, type StoredJob } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { Receiver, secret } from './receiver.ts';

/** Refuses the deliveries of this event, so many times. */
class Refusing extends MemoryEngine {
  refusals = 1;
  override async submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    const isUnconfirmed = jobs.length === 1 && jobs[0]?.idempotencyKey?.startsWith('unconfirmed') === true;
    if (isUnconfirmed && this.refusals > 0) {
      this.refusals -= 1;
      throw new EngineError('the disk is full');
    }
    return super.submit(jobs);
  }
}

test('an unconfirmed stop comes before the end of its job, though it was stored with that', async () => {
  await using ops = await new Receiver().listen();
  const ignores = defineJob({
    graceSeconds: 0.1,
    retry: { maxAttempts: 2 },
    // Ended within the second after which it is tried to store again.
    run: (_: null, { attempt }) => new Promise((resolve) => setTimeout(resolve, attempt === 1 ? 500 : 0)),
  });
  const processor = new JobProcessor({
    engine: new Refusing(),
    jobs: { ignores },
    logger: capturedLog().logger,
    webhooks: { ops: { url: ops.url, secret, events: ['unconfirmed', 'retrying', 'completed'] } },
  });
  onTestFinished(() => processor.stop());
  await processor.start();
  const job = await processor.submit('ignores', null, { jobTimeoutSeconds: 0.1 });
  await job.result();
  await ops.until(() => ops.taken.length === 3);
  expect(ops.story()).toEqual({ [job.id]: ['job.unconfirmed', 'job.retrying', 'job.completed'] });
});

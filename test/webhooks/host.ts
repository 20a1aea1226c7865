// An app in a process of its own whose jobs fail, are retried, and time out, and which tells a target of it all.

import { pino } from 'pino';
import { defineJob, JobProcessor } from '../../src/index.ts';

export interface HostOrder {
  path: string;
  url: string;
  secret: string;
  /** Submitted with keys: a second host submits none again. */
  jobs: number;
}

const { path, url, secret, jobs } = JSON.parse(process.argv[2] ?? '') as HostOrder;
const say = (word: object) => process.stderr.write(`${JSON.stringify(word)}\n`);

const troubled = defineJob({
  retry: { maxAttempts: 3, backoff: { kind: 'fixed', seconds: 0.5 } },
  jobTimeoutSeconds: 0.2,
  graceSeconds: 1,
  // Recovered more often than a job of this kind should be, here on purpose.
  maxCrashes: 1000,
  run: async (n: number, { attempt, signal }) => {
    if (n % 3 === 0 && attempt < 3) throw new Error(`attempt ${attempt}`);
    if (n % 3 === 1) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal)));
    return n;
  },
});

const processor = await new JobProcessor({
  engine: `sqlite:${path}`,
  jobs: { troubled },
  logger: pino({ level: 'silent' }),
  webhooks: {
    ops: {
      url,
      secret,
      answerSeconds: 1,
      events: ['retrying', 'completed', 'failed', 'timedOut', 'cancelled'],
    },
  },
}).start();
say({ started: true });
for (let n = 0; n < jobs; n += 1) await processor.submit('troubled', n, { idempotencyKey: `${n}` });
say({ submitted: jobs });

// Our no-op jobs on an engine: how they are added, worked on and counted, the same wherever they are kept.

import { pino } from 'pino';
import type { Engine } from '../../src/engines/engine.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';

export function noopsOn(engine: Engine) {
  const open = (maxConcurrentJobs: number) =>
    new JobProcessor({
      engine,
      jobs: { noop: defineJob({ run: (input: number) => input }) },
      logger: pino({ level: 'silent' }),
      maxConcurrentJobs,
    });
  let processor = open(1);
  let completed = 0;
  return {
    addMany: (inputs: number[]) => processor.submitMany('noop', inputs),
    addOne: (input: number) => processor.submit('noop', input),
    async work(concurrency: number) {
      processor = open(concurrency);
      processor.on('completed', () => {
        completed += 1;
      });
      await processor.start();
    },
    counted: () => completed,
    stop: () => processor.stop(),
  };
}

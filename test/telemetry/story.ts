// Everything that metrics tell of, in one processor: jobs that end in every way, timeouts of every kind, stops at every rung, one
// that cannot be stopped, and jobs that wait. Real time, since real processes are killed.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MeterProvider } from '@opentelemetry/api';
import { pino } from 'pino';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import busy from '../fixtures/busy.ts';
import endlessLoop from '../fixtures/endlessLoop.ts';
import ways from '../fixtures/ways.ts';

const untilAsked = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

export class Story implements AsyncDisposable {
  readonly #engine = new MemoryEngine();
  readonly #stubborn = Promise.withResolvers<void>();
  readonly processor;
  /** Has a job that the processor does not know. */
  readonly stranger;

  constructor(meterProvider?: MeterProvider) {
    const once = { maxAttempts: 1 };
    const { promise: never } = this.#stubborn;
    const logger = pino({ level: 'silent' });
    this.processor = new JobProcessor({
      engine: this.#engine,
      logger,
      maxConcurrentJobs: 5,
      monitorIntervalSeconds: 0.1,
      graceSeconds: 0.2,
      retry: { maxAttempts: 2, backoff: { kind: 'fixed', seconds: 0 } },
      telemetry: meterProvider === undefined ? {} : { meterProvider },
      jobs: {
        steady: defineJob({ run: (input: number) => input }),
        failing: defineJob({
          run: (how: 'once' | 'always', { attempt }) => {
            if (how === 'always' || attempt === 1)
              throw Object.assign(new Error('as planned'), { code: 'E_PLANNED' });
          },
        }),
        // Leaves when it is asked.
        polite: defineJob({ retry: once, run: (_: null, { signal }) => untilAsked(signal) }),
        standing: defineChunkedJob({
          retry: once,
          start: null,
          *chunks() {
            yield [1];
          },
          process: (_, { signal }) => untilAsked(signal),
        }),
        // Three processes: one is gone before it hears, one hears and stays, one does not hear.
        busy: { ...busy, retry: once },
        ways: { ...ways, retry: once },
        looping: { ...endlessLoop, retry: once },
        stubborn: defineJob({ retry: once, run: () => never }),
        parked: defineJob({ run: () => {} }),
      },
    });
    this.stranger = new JobProcessor({
      engine: this.#engine,
      logger,
      telemetry: false,
      jobs: { unheardOf: defineJob({ run: () => {} }) },
    });
  }

  async run(): Promise<void> {
    const { processor } = this;
    await processor.start();
    const ended = async (job: Promise<{ result(): Promise<unknown> }>) =>
      (await job).result().then(
        () => {},
        () => {},
      );
    await processor.pause('parked');
    await Promise.all([
      ended(processor.submit('steady', 1)),
      ended(processor.submit('failing', 'once')),
      ended(processor.submit('failing', 'always')),
      ended(processor.submit('parked', undefined, { queueTimeoutSeconds: 0.1 })),
    ]);
    for (const job of await processor.submitMany('steady', [2, 3, 4])) await job.result();
    await Promise.all([
      ended(processor.submit('polite', null, { deadlineSeconds: 0.2 })),
      ended(processor.submit('standing', null, { progressTimeoutSeconds: 0.2 })),
      ended(processor.submit('ways', 'never', { jobTimeoutSeconds: 0.3 })),
      ended(processor.submit('looping', undefined, { heartbeatTimeoutSeconds: 0.3, graceSeconds: 0 })),
    ]);
    await this.#goneBeforeItHears();
    await (await this.#running('polite')).cancel('not needed');
    await processor.timeoutJob((await this.#running('polite')).id);
    await ended(processor.submit('stubborn', undefined, { jobTimeoutSeconds: 0.1 }));
    // What stands when it is over.
    await this.#running('standing');
    await processor.submitMany('parked', [undefined, undefined]);
    await this.stranger.submit('unheardOf', undefined);
    await pause(250);
  }

  /** Asked to stop, its process ends without having heard of it: within the second that the first rung waits. */
  async #goneBeforeItHears(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'unstuck-story-'));
    const job = await this.processor.submit('busy', folder, { graceSeconds: 5 });
    while (!existsSync(join(folder, 'begun'))) await pause(10);
    const cancelled = job.cancel();
    for await (const { state } of job.updates()) if (state === 'stopping') break;
    writeFileSync(join(folder, 'end'), '');
    await cancelled;
    rmSync(folder, { recursive: true });
  }

  async #running(name: 'polite' | 'standing') {
    const job = await this.processor.submit(name, null, { heartbeatTimeoutSeconds: 60 });
    for await (const { state } of job.updates()) if (state === 'running') break;
    return job;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stubborn.resolve();
    await this.processor.stop();
    await this.stranger.stop();
  }
}

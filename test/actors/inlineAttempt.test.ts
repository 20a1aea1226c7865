// Code in the host itself: begun after the chart's step, asked to stop and no more.

import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import type { AttemptPort, AttemptSpec } from '../../src/actors/attempt.ts';
import { Isolations } from '../../src/actors/isolation/isolations.ts';
import type { JobContext } from '../../src/actors/jobCode.ts';
import { NonRetryableError } from '../../src/actors/nonRetryable.ts';

let told: unknown[];
beforeEach(() => {
  told = [];
});

function launch(run: (input: unknown, context: JobContext) => unknown) {
  const ended = Promise.withResolvers<unknown>();
  const port = {
    acknowledged: () => told.push('acknowledged'),
    heartbeat: () => told.push('heartbeat'),
    ended: ended.resolve,
  } as unknown as AttemptPort;
  const start = { jobId: 'id', name: 'job', attempt: 1, token: 't', input: '7', checkpoint: null };
  const spec = {
    start: { ...start, chunkSize: 1, trace: null },
    code: { run },
    log: pino({ enabled: false }),
  } as unknown as AttemptSpec;
  const handle = new Isolations(0, '').launchIn('inline')(spec, port);
  return { handle, ended: ended.promise };
}

test('its code begins after whoever started it has gone on', async () => {
  const { ended } = launch((input, { heartbeat }) => {
    told.push('code');
    heartbeat();
    return input;
  });
  told.push('started');
  expect(await ended).toEqual({ kind: 'completed', result: '7' });
  expect(told).toEqual(['started', 'code', 'heartbeat']);
});

test('what it throws is its failure, and says whether another attempt is pointless', async () => {
  const { ended } = launch(() => {
    throw new NonRetryableError('no such customer');
  });
  expect(await ended).toMatchObject({
    kind: 'failed',
    failure: { name: 'NonRetryableError', code: 'ERR_UNSTUCK_NON_RETRYABLE', retryable: false },
  });
});

test.each([
  ['ask', 'cancel'],
  // Its lease is lost, and nobody asked before.
  ['kill', 'kill'],
] as const)('%s: the signal is aborted, and that is all', async (command, reason) => {
  const { handle, ended } = launch(
    (_, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(String(signal.reason)))),
  );
  await new Promise(setImmediate);
  handle.terminate();
  handle.retime();
  handle.renew();
  handle[command]('cancel');
  expect(told).toEqual(['acknowledged']);
  expect(await ended).toEqual({ kind: 'completed', result: `"AbortError: ${reason}"` });
});

// Threads of a processor, taken, used again and closed.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AttemptHandle, AttemptPort, AttemptSpec } from '../../src/actors/attempt.ts';
import { Isolations } from '../../src/actors/isolation/isolations.ts';
import { jobOf, noLimits } from './liveChild.ts';

let isolations: Isolations;
beforeEach(() => {
  isolations = new Isolations(0, jobOf(''));
});
afterEach(() => isolations.close());

function launch(module: string, reuse: boolean) {
  const lives = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  let acknowledged = 0;
  const port = {
    heartbeat: lives.resolve,
    acknowledged: () => (acknowledged += 1),
    ended: ended.resolve,
  } as unknown as AttemptPort;
  const start = { jobId: 'id', name: 'job', attempt: 1, token: 't', input: 'null', checkpoint: null };
  const spec = {
    start: { ...start, chunkSize: 1, trace: null },
    module,
    beatMs: 20,
    limits: noLimits,
    endBy: Infinity,
    reuse,
    log: { level: 'info' },
  } as unknown as AttemptSpec;
  const handle: AttemptHandle = isolations.launchIn('thread')(spec, port);
  return { handle, lives: lives.promise, ended: ended.promise, acknowledgements: () => acknowledged };
}

test('the next attempt of a job that asked for reuse goes on with what the last left in memory', async () => {
  const counts = jobOf('return globalThis.runs = (globalThis.runs ?? 0) + 1');
  for (const runs of ['1', '2']) {
    expect(await launch(counts, true).ended).toEqual({ kind: 'completed', result: runs });
  }
  expect(await launch(counts, false).ended).toEqual({ kind: 'completed', result: '1' });
});

test.each(['terminate', 'kill'] as const)(
  'an attempt is told what to do: asked, retimed, and ended by %s',
  async (end) => {
    const { handle, lives, ended, acknowledgements } = launch(jobOf('await new Promise(() => {})'), false);
    await lives;
    handle.retime();
    handle.renew();
    handle.ask('cancel');
    while (acknowledgements() === 0) await new Promise(setImmediate);
    handle[end]();
    expect(await ended).toMatchObject({ kind: 'failed', failure: { name: 'JobExitError' } });
  },
);

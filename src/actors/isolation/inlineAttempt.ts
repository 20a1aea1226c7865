// Runs an attempt in the host itself. It can be asked to stop and no more: outside the promise, and said so.

import type { Launch } from '../attempt.ts';
import { withinTrace } from '../attemptTrace.ts';
import { foldChunks } from '../foldChunks.ts';
import { toFailure } from './protocol.ts';

export const launchInline: Launch = (spec, port) => {
  const aborter = new AbortController();
  const run = async () => {
    // Not in the chart's own step: the first lines of the code may take long, or call back.
    await null;
    const host = {
      signal: aborter.signal,
      log: spec.log,
      heartbeat: port.heartbeat,
      total: port.total,
      saveCheckpoint: port.checkpoint,
    };
    return withinTrace(spec.start.trace, () => foldChunks(spec.code, spec.start, host));
  };
  run().then(
    (result) => port.ended({ kind: 'completed', result }),
    (error) => port.ended({ kind: 'failed', failure: toFailure(error) }),
  );
  const ask = (reason: string) => {
    // This runs on the same event loop as the code: it is alive, or we would not be here.
    port.acknowledged();
    aborter.abort(new DOMException(reason, 'AbortError'));
  };
  return {
    ask,
    terminate() {},
    // Where its lease is lost no rung came before this one: then it is asked now.
    kill: () => ask('kill'),
    retime() {},
    renew() {},
  };
};

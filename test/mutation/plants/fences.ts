// Faults in what keeps the writes of one attempt from another: tokens, leases, numbers. Each engine has its own, and
// so each fault is planted in both.

import type { Catcher, Plant } from '../plant.ts';

const memory = 'src/engines/memory.ts';
const sqlite = 'src/engines/sqlite/jobStore.ts';
const inBoth = (test: string) => ({
  memory: [{ file: 'test/engines/memory.test.ts', test }] as Catcher[],
  sqlite: [{ file: 'test/engines/sqlite.test.ts', test }] as Catcher[],
});

const unfenced = 'a write of an attempt that is no longer the current one is refused';
const fence = inBoth('is needed for checkpoint, beat, stop and settlement, and stale after the end');
const renewed = inBoth('lapses when its lease is over, and not while it beats');
const adopted = inBoth('passes to whoever adopts it: the old token is stale, what was asked stays');
const once = inBoth('stores a chunk once, though its write comes twice because the answer was lost');
const final = inBoth('a job at rest is settled without one, a live or final one is not');
const asked = inBoth('that was told to end is not set to run again by who has not heard it');
const known = inBoth('answers a known idempotency key of the same name with the older job');

export const fences: Plant[] = [
  {
    name: 'memory-checkpoint-unfenced',
    fault: 'memory: a checkpoint is stored whatever its token',
    promise: unfenced,
    file: memory,
    find: "const row = this.#current(id, token, 'checkpoint');",
    put: 'const row = this.#row(id);',
    caughtBy: fence.memory,
  },
  {
    name: 'sqlite-checkpoint-unfenced',
    fault: 'sqlite: a checkpoint is stored whatever its token',
    promise: unfenced,
    file: sqlite,
    find: "const job = this.#current(id, token, 'checkpoint');",
    put: 'const job = this.#row(id);',
    caughtBy: fence.sqlite,
  },
  {
    name: 'memory-settle-unfenced',
    fault: 'memory: a settlement is stored whatever its token',
    promise: unfenced,
    file: memory,
    find: "const row = this.#current(id, token, 'settlement');",
    put: 'const row = this.#row(id);',
    caughtBy: fence.memory,
  },
  {
    name: 'sqlite-settle-unfenced',
    fault: 'sqlite: a settlement is stored whatever its token',
    promise: unfenced,
    file: sqlite,
    find: "WHERE id = :id AND token IS :token AND (token IS NOT NULL OR state IN ('queued', 'retrying'))",
    put: 'WHERE id = :id AND (token IS :token OR :token IS NOT NULL)',
    caughtBy: fence.sqlite,
  },
  {
    name: 'memory-beat-unfenced',
    fault: 'memory: a beat holds a job whatever its token',
    promise: unfenced,
    file: memory,
    find: 'if (row === undefined || row.token !== token)',
    put: 'if (row === undefined)',
    caughtBy: fence.memory,
  },
  {
    name: 'sqlite-beat-unfenced',
    fault: 'sqlite: a beat holds a job whatever its token',
    promise: unfenced,
    file: sqlite,
    find: 'WHERE id = :id AND token = :token RETURNING intent',
    put: 'WHERE id = :id AND (token = :token OR token IS NULL) RETURNING intent',
    caughtBy: fence.sqlite,
  },
  {
    name: 'memory-lease-not-renewed',
    fault: 'memory: a beat renews no lease',
    promise: 'the job of an owner that lives is not given to another',
    file: memory,
    find: 'row.leaseUntil = this.#time().monotonic() + leaseMs;',
    put: '',
    caughtBy: renewed.memory,
  },
  {
    name: 'sqlite-lease-not-renewed',
    fault: 'sqlite: a beat renews no lease',
    promise: 'the job of an owner that lives is not given to another',
    file: sqlite,
    find: '`UPDATE jobs SET leaseUntil = :leaseUntil, boot = :boot, holder = :holder,\n           lastHeartbeatAt',
    put: '`UPDATE jobs SET leaseUntil = coalesce(leaseUntil, :leaseUntil), boot = :boot, holder = :holder,\n           lastHeartbeatAt',
    caughtBy: renewed.sqlite,
  },
  {
    name: 'memory-adopted-with-its-token',
    fault: 'memory: an attempt that is taken over keeps its token',
    promise: 'what an owner that was given up still writes is refused',
    file: memory,
    find: 'const adopted = ',
    put: 'const adopted = token ?? ',
    caughtBy: adopted.memory,
  },
  {
    name: 'sqlite-adopted-with-its-token',
    fault: 'sqlite: an attempt that is taken over keeps its token',
    promise: 'what an owner that was given up still writes is refused',
    file: sqlite,
    find: 'const adopted = ',
    put: 'const adopted = token ?? ',
    caughtBy: adopted.sqlite,
  },
  {
    name: 'memory-chunk-twice',
    fault: 'memory: a chunk whose write comes again is stored again',
    promise: 'what was appended with a chunk is there exactly once',
    file: memory,
    find: 'if (chunk <= row.chunks) return;',
    put: '',
    caughtBy: [
      ...once.memory,
      {
        file: 'test/runtime/engineTrouble.test.ts',
        test: 'the answer to a checkpoint is lost: its chunk and rows are there once',
      },
    ],
  },
  {
    name: 'sqlite-chunk-twice',
    fault: 'sqlite: a chunk whose write comes again is stored again',
    promise: 'what was appended with a chunk is there exactly once',
    file: sqlite,
    find: 'if (chunk <= job.chunks) return;',
    put: '',
    caughtBy: once.sqlite,
  },
  {
    name: 'memory-key-ignored',
    fault: 'memory: a known idempotency key makes another job',
    promise: 'one job of a name has an idempotency key',
    file: memory,
    find: 'const known = key === null ? undefined : this.#idempotency.get(key);',
    put: 'const known = undefined as string | undefined;',
    caughtBy: known.memory,
  },
  {
    name: 'sqlite-key-ignored',
    fault: 'sqlite: a known idempotency key makes another job',
    promise: 'one job of a name has an idempotency key',
    file: sqlite,
    find: 'if (older !== undefined) return older;',
    put: '',
    caughtBy: known.sqlite,
  },
  {
    name: 'memory-final-state-changes',
    fault: 'memory: a job that is over can be settled once more',
    promise: 'a final state never changes',
    file: memory,
    find: "if (token === null && !isAtRest(row.state)) throw new StaleAttemptError(id, 'settlement');",
    put: '',
    caughtBy: final.memory,
  },
  {
    name: 'sqlite-final-state-changes',
    fault: 'sqlite: a job that is over can be settled once more',
    promise: 'a final state never changes',
    file: sqlite,
    find: " AND (token IS NOT NULL OR state IN ('queued', 'retrying'))",
    put: '',
    caughtBy: final.sqlite,
  },
  {
    name: 'stop-undone',
    fault: 'a verdict sets a job to run again that was told to end',
    promise: 'what was asked of a job is not undone by who has not heard of it',
    file: 'src/engines/jobFacts.ts',
    find: 'return !isFinal(state) && intent !== null && mustEnd(intent);',
    put: 'return false;',
    caughtBy: [...asked.memory, ...asked.sqlite],
  },
];

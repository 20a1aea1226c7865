// Faults in who may start and when: limits, times at rest, places, ticks.

import type { Catcher, Plant } from '../plant.ts';

const memory = 'src/engines/memory.ts';
const sqlite = 'src/engines/sqlite/jobStore.ts';
const limitStore = 'src/engines/sqlite/limitStore.ts';
const memoryTests = (test: string): Catcher => ({ file: 'test/engines/memory.test.ts', test });
const sqliteTests = (test: string): Catcher => ({ file: 'test/engines/sqlite.test.ts', test });

const ofName = 'of a name no more are alive than its limit, and one that ends lets one start';
const ofKey = 'of a key no more are alive than its limit, and one that ends lets one start';
const wholeSpan = 'a rate looks back over its whole span, wherever on the clock that began';
const dueAgain = 'times out at rest by its deadline, and no more by its queue timeout';
const limits = 'never more attempts alive than the limits allow';
const rates = 'within no span of a rate do more attempts begin';
const deadline = 'every job with a deadline is over by then';
const givenBack = 'a hand-back, or the end of a host, uses up no attempt';

const goneIsSeen = 'which nodes are at work, and which are gone, is seen by all';
const nodes = (test: string): Catcher => ({ file: 'test/runtime/nodes.test.ts', test });

export const queues: Plant[] = [
  {
    name: 'memory-key-limit-off-by-one',
    fault: 'memory: of a concurrency key one more is alive',
    promise: limits,
    file: memory,
    find: 'group.pausing.size + group.heads.size >= next.keyLimit',
    put: 'group.pausing.size + group.heads.size > next.keyLimit',
    caughtBy: [memoryTests(ofKey)],
  },
  {
    name: 'sqlite-key-limit-off-by-one',
    fault: 'sqlite: of a concurrency key one more is alive',
    promise: limits,
    file: limitStore,
    find: '(pausing?.n ?? 0) >= next.keyLimit',
    put: '(pausing?.n ?? 0) > next.keyLimit',
    caughtBy: [sqliteTests(ofKey)],
  },
  {
    name: 'memory-name-limit-ignored',
    fault: 'memory: the limit of a name is ignored',
    promise: limits,
    file: memory,
    find: 'const alive = concurrency === Infinity ? 0 : [...this.#live].filter((row) => row.name === name).length;',
    put: 'const alive = 0;',
    caughtBy: [
      memoryTests(ofName),
      {
        file: 'test/runtime/limits.test.ts',
        test: 'of a name with a concurrency no more are alive, and others take the slots',
      },
    ],
  },
  {
    name: 'sqlite-name-limit-ignored',
    fault: 'sqlite: the limit of a name is ignored',
    promise: limits,
    file: limitStore,
    find: 'concurrency - this.#alive(name)',
    put: 'concurrency',
    caughtBy: [sqliteTests(ofName)],
  },
  {
    name: 'memory-rate-by-bucket',
    fault: 'memory: a rate counts what began in the same stretch of the clock, and not in the last',
    promise: rates,
    file: memory,
    find: '.filter((at) => at > now - rate.ms);',
    put: '.filter((at) => at >= now - (now % rate.ms));',
    caughtBy: [memoryTests(wholeSpan)],
  },
  {
    name: 'sqlite-rate-by-bucket',
    fault: 'sqlite: a rate counts what began in the same stretch of the clock, and not in the last',
    promise: rates,
    file: limitStore,
    find: 'since: at.now - rate.ms,',
    put: 'since: at.now - (at.now % rate.ms) - 1,',
    caughtBy: [sqliteTests(wholeSpan)],
  },
  {
    name: 'priority-ignored',
    fault: 'a job of high priority stands behind those that came before',
    promise: 'higher priority starts first',
    file: 'src/engines/jobFacts.ts',
    find: 'return place - priority * placesAPoint;',
    put: 'return place;',
    caughtBy: [memoryTests('takes by priority'), sqliteTests('takes by priority')],
  },
  {
    name: 'deadline-ignored-at-rest',
    fault: 'a job at rest has no deadline',
    promise: deadline,
    file: 'src/engines/jobFacts.ts',
    find: ', job.deadlineAt ?? Infinity);',
    put: ', Infinity);',
    caughtBy: [
      memoryTests('says when the next job at rest has something due'),
      sqliteTests('says when the next job at rest has something due'),
    ],
  },
  {
    name: 'memory-deadline-ignored-on-recovery',
    fault: 'memory: a job that was alive, and is at rest again, has no deadline',
    promise: deadline,
    file: memory,
    find: 'return (dueAtRest(row) ?? Infinity) <= now;',
    put: 'return row.startedAt === null && (dueAtRest(row) ?? Infinity) <= now;',
    caughtBy: [memoryTests(dueAgain)],
  },
  {
    name: 'sqlite-deadline-ignored-on-recovery',
    fault: 'sqlite: a job that was alive, and is at rest again, has no deadline',
    promise: deadline,
    file: sqlite,
    find: ' THEN deadlineAt\n',
    put: ' THEN NULL\n',
    caughtBy: [sqliteTests(dueAgain)],
  },
  {
    name: 'queue-timeout-after-its-start',
    fault: 'the queue timeout of a job that has run counts on while it waits to be tried again',
    promise: 'the queue timeout counts to the first start',
    file: 'src/engines/jobFacts.ts',
    find: '(startedAt === null ? queueDueAt : null) ?? Infinity',
    put: 'queueDueAt ?? Infinity',
    caughtBy: [memoryTests(dueAgain)],
  },
  {
    name: 'memory-pause-ignored',
    fault: 'memory: jobs of a paused name are claimed',
    promise: 'of a paused name nothing starts',
    file: memory,
    find: 'claim.names.filter((name) => !this.#controls.isPaused(name))',
    put: 'claim.names',
    caughtBy: [memoryTests('is passed over by claims until it is resumed; what runs of it goes on')],
  },
  {
    name: 'sqlite-pause-ignored',
    fault: 'sqlite: jobs of a paused name are claimed',
    promise: 'of a paused name nothing starts',
    file: 'src/engines/sqlite/controlStore.ts',
    find: 'claim.names.filter((name) => !paused.includes(name))',
    put: 'claim.names',
    caughtBy: [sqliteTests('is passed over by claims until it is resumed; what runs of it goes on')],
  },
  {
    name: 'memory-attempt-used-up',
    fault: 'memory: a hand-back uses up the attempt',
    promise: givenBack,
    file: memory,
    find: "if (state === 'queued') row.attempt -= 1;",
    put: "if (state === 'queued') row.attempt -= 0;",
    caughtBy: [memoryTests('lapses when its lease is over, and not while it beats')],
  },
  {
    name: 'sqlite-attempt-used-up',
    fault: 'sqlite: a hand-back uses up the attempt',
    promise: givenBack,
    file: sqlite,
    find: "given: state === 'queued' ? 1 : 0,",
    put: 'given: 0,',
    caughtBy: [sqliteTests('lapses when its lease is over, and not while it beats')],
  },
  {
    name: 'memory-tick-twice',
    fault: 'memory: a tick is stored in place of any revision of its schedule',
    promise: 'of all processes that tick a schedule one succeeds',
    file: 'src/engines/memoryControls.ts',
    find: 'if ((this.#schedules.get(schedule.key)?.revision ?? null) !== instead) return false;',
    put: '',
    caughtBy: [
      memoryTests('store the jobs of a tick with it, once'),
      {
        file: 'test/runtime/schedules.test.ts',
        test: 'ticks once, however many processors have seen that it is due',
      },
    ],
  },
  {
    name: 'sqlite-tick-twice',
    fault: 'sqlite: a tick is stored in place of any revision of its schedule',
    promise: 'of all processes that tick a schedule one succeeds',
    file: 'src/engines/sqlite/controlStore.ts',
    find: 'WHERE (SELECT revision FROM schedules WHERE key = :key) IS :instead RETURNING key',
    put: 'WHERE (SELECT revision FROM schedules WHERE key = :key) IS :instead OR :instead IS NOT NULL RETURNING key',
    caughtBy: [sqliteTests('store the jobs of a tick with it, once')],
  },
  {
    name: 'memory-node-never-gone',
    fault: 'memory: a node that is not seen any more is not gone',
    promise: goneIsSeen,
    file: 'src/engines/memoryNodes.ts',
    find: 'isGone: now >= goneAt,',
    put: 'isGone: false,',
    caughtBy: [
      memoryTests('that is not seen for as long as it said is gone, and back when it is'),
      nodes('gone by the time its jobs are taken over, and whoever takes them says from whom'),
    ],
  },
  {
    name: 'sqlite-node-never-gone',
    fault: 'sqlite: a node that is not seen any more is not gone',
    promise: goneIsSeen,
    file: 'src/engines/sqlite/nodeStore.ts',
    find: 'monotonic >= goneOn ||',
    put: '',
    caughtBy: [sqliteTests('that is not seen for as long as it said is gone, and back when it is')],
  },
  {
    name: 'node-gone-too-late',
    fault: 'a node counts as gone only after its jobs are taken over',
    promise: goneIsSeen,
    file: 'src/runtime/nodes.ts',
    find: 'leaseMs * 0.8',
    put: 'leaseMs * 1.6',
    caughtBy: [nodes('gone by the time its jobs are taken over, and whoever takes them says from whom')],
  },
  {
    name: 'node-stays',
    fault: 'a node that stops in order stays in the list',
    promise: goneIsSeen,
    file: 'src/runtime/nodes.ts',
    find: 'engine.removeNode(id)',
    put: 'engine.nodes()',
    caughtBy: [nodes('says what it has and runs, and is no more when it has stopped')],
  },
];

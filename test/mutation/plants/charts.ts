// Faults in what is decided: the charts, the verdicts, and the actors that carry them out.

import type { Catcher, Plant } from '../plant.ts';

const chart = 'src/machines/job.ts';
const timeouts = (test: string): Catcher => ({ file: 'test/runtime/timeouts.test.ts', test });
const table = (test: string): Catcher => ({ file: 'test/machines/jobTransitions.test.ts', test });
const paths = (test: string): Catcher => ({ file: 'test/machines/jobPaths.test.ts', test });
const trouble = (test: string): Catcher => ({ file: 'test/runtime/engineTrouble.test.ts', test });

const deadFirst = 'the slot and the retry are held until the old attempt is proven dead';
const storedFirst = 'a state is entered when it is stored';
const judged = 'a live attempt is not ended, and a hung one is';

export const charts: Plant[] = [
  {
    name: 'retry-before-proof',
    fault: 'an attempt that could not be proven dead is given up, and followed by the next',
    promise: deadFirst,
    file: chart,
    find: 'isLastAttempt: ({ context }) => !mayRunAgain(context),',
    put: 'isLastAttempt: () => true,',
    caughtBy: [
      paths('no next attempt before the last is proven over'),
      timeouts('with a retry stays stopping: the next attempt waits for the last to end'),
    ],
  },
  {
    name: 'slot-freed-at-terminate',
    fault: 'the slot of an attempt is free when it is told to terminate',
    promise: deadFirst,
    file: 'src/actors/chunkProcessor.ts',
    find: "else if (command.type === 'stop.terminate') handle?.terminate();",
    put: "else if (command.type === 'stop.terminate') { handle?.terminate(); live.over(); }",
    caughtBy: [
      {
        file: 'test/runtime/processes.test.ts',
        test: 'the slot of a job that is being ended is held until nothing of its group runs',
      },
    ],
  },
  {
    name: 'unconfirmed-frees-its-slot',
    fault: 'an attempt that could not be proven dead frees its slot',
    promise: 'an attempt that could not be proven dead still counts',
    file: 'src/runtime/liveJobs.ts',
    find: 'this.#zombies.set(live.attempt.start.token, live.job);',
    put: 'live.attempt.over();',
    caughtBy: [
      timeouts(
        'without a retry is final, its slot held, its late result refused, health degraded until it ends',
      ),
    ],
  },
  {
    name: 'late-write-taken',
    fault: 'what an attempt that could not be proven dead still writes is taken',
    promise: 'late writes are refused',
    file: 'src/actors/chunkProcessor.ts',
    find: "if (command.type === 'stop.refuse') isRefused = true;",
    put: "if (command.type === 'stop.refuse') return;",
    caughtBy: [
      timeouts('waiting to be retried: its late heartbeats and checkpoints are refused, and logged'),
    ],
  },
  {
    name: 'called-completed-before-stored',
    fault: 'the chart does not wait until its verdict is stored',
    promise: storedFirst,
    file: 'src/actors/engineWrites.ts',
    find: 'const verdict = context.verdict as Verdict;',
    put: "const verdict = context.verdict as Verdict; queueMicrotask(() => self.send({ type: 'verdict.stored' }));",
    caughtBy: [trouble('settlements fail: the job is not called completed before it is stored, and is then')],
  },
  {
    name: 'chunk-told-before-stored',
    fault: 'a chunk is reported as done before its checkpoint is stored',
    promise: 'after a checkpoint is acknowledged its chunk is not run again',
    file: 'src/actors/chunkProcessor.ts',
    find: 'await commit(checkpoint, rows, items);',
    put: 'commit(checkpoint, rows, items).catch(() => {});',
    caughtBy: [
      trouble('checkpoints fail: the chunk is kept, not run again, and stored when the engine answers'),
    ],
  },
  {
    name: 'retry-from-the-start',
    fault: 'an attempt does not get the checkpoint of the one before',
    promise: 'a retry resumes from the last checkpoint',
    file: 'src/runtime/liveJobs.ts',
    find: 'checkpoint: job.checkpoint,',
    put: 'checkpoint: null,',
    caughtBy: [{ file: 'test/runtime/retries.test.ts', test: 'a retry goes on from the checkpoint' }],
  },
  {
    name: 'stop-not-stored',
    fault: 'why an attempt is stopped is stored with its end, and not before',
    promise: 'a cancel is stored first: a host that dies in the grace does not undo it',
    file: 'src/actors/engineWrites.ts',
    find: 'await engine.recordIntent(jobId, token, intent);',
    put: '',
    caughtBy: [timeouts('a cancel outlives its host')],
  },
  {
    name: 'heartbeat-not-rearmed',
    fault: 'a beat does not arm the heartbeat timeout anew',
    promise: judged,
    file: chart,
    find: "'chunk.heartbeat': { actions: rearm(['heartbeat']) },",
    put: "'chunk.heartbeat': {},",
    caughtBy: [
      table('a heartbeat arms the heartbeat timer anew and leaves the others'),
      timeouts('of the heartbeat counts from the last sign of life, and for inline code is off unless set'),
    ],
  },
  {
    name: 'beat-counts-as-progress',
    fault: 'a beat arms the progress timeout anew',
    promise: 'alive is not progress',
    file: chart,
    find: "'chunk.heartbeat': { actions: rearm(['heartbeat']) },",
    put: "'chunk.heartbeat': { actions: rearm(['heartbeat', 'progress']) },",
    caughtBy: [timeouts('of the progress counts from the last chunk: beating is not enough')],
  },
  {
    name: 'empty-chunk-is-progress',
    fault: 'an empty chunk counts as a finished one',
    promise: 'alive is not progress',
    file: 'src/actors/foldChunks.ts',
    find: 'if (chunk.length === 0) {',
    put: 'if (chunk.length < 0) {',
    caughtBy: [timeouts('of the progress is not put off by empty chunks, which are signs of life')],
  },
  {
    name: 'deadline-by-delay-alone',
    fault: 'a deadline is believed when its delay is over, wherever the wall clock stands',
    promise: 'no timeout fires before its time, by the clock it counts on',
    file: chart,
    find: "{ guard: 'isDeadline', actions: 'readWallClock' },",
    put: '',
    caughtBy: [
      table('looks at the wall clock first when the delay of its deadline is over'),
      timeouts('of the deadline is not early where the wall clock was set back while an attempt ran'),
    ],
  },
  {
    name: 'backoff-past-the-deadline',
    fault: 'a retry is waited for that its deadline forbids',
    promise: 'every job with a deadline is over by then',
    file: 'src/machines/verdict.ts',
    find: 'return facts.deadlineAt === null || at + backoffMs(facts) < facts.deadlineAt;',
    put: 'return true;',
    caughtBy: [
      table('fails where the pause would pass the deadline'),
      {
        file: 'test/runtime/retries.test.ts',
        test: 'a pause that would pass the deadline is not waited for',
      },
    ],
  },
  {
    name: 'timeout-by-hand-retried',
    fault: 'a job that a person timed out is tried again',
    promise: 'a timeout forced by hand is not retried',
    file: 'src/machines/verdict.ts',
    find: "intent.by !== 'hand' &&",
    put: '',
    caughtBy: [table('does not retry a timeout by hand')],
  },
  {
    name: 'one-crash-more',
    fault: 'a job that takes its host down is started once more than its limit says',
    promise: 'a job that takes its host down is found out (maxCrashes)',
    file: 'src/machines/verdict.ts',
    find: 'crashes < maxCrashes)',
    put: 'crashes <= maxCrashes)',
    caughtBy: [timeouts('with a job inside it once too often')],
  },
  {
    name: 'claim-before-slots',
    fault: 'slots are not taken before the claim that is to fill them',
    promise: 'never more attempts alive than the limits allow',
    file: 'src/machines/supervisor.ts',
    find: 'held: context.limit,\n      mayHaveWork: false,',
    put: 'held: context.held,\n      mayHaveWork: false,',
    caughtBy: [
      {
        file: 'test/machines/supervisor.test.ts',
        test: 'never more attempts than slots, and no slot idle while work waits',
      },
    ],
  },
  {
    name: 'drained-with-live-attempts',
    fault: 'a processor is drained while attempts of it live',
    promise: 'drained means that nothing is alive',
    file: 'src/machines/supervisor.ts',
    find: "draining: { always: { guard: 'isIdle', target: 'drained' } },",
    put: "draining: { always: { target: 'drained' } },",
    caughtBy: [
      {
        file: 'test/machines/supervisor.test.ts',
        test: 'drained means nothing alive, whatever was under way',
      },
    ],
  },
  {
    name: 'monitor-off',
    fault: 'start() starts no monitor',
    promise: 'what the first line missed is found and ended by the second',
    file: 'src/runtime/supervision.ts',
    find: 'this.#scheduleTimer.start();\n    this.startMonitor();',
    put: 'this.#scheduleTimer.start();',
    caughtBy: [timeouts('its monitor finds what the first line lost, and ends it')],
  },
  {
    name: 'lost-lease-ignored',
    fault: 'an attempt goes on whose lease another has',
    promise: 'one at a time: on a lost lease an attempt is ended without grace',
    file: 'src/runtime/liveJobs.ts',
    find: "if (!held) live.actor.send({ type: 'lease.lost' });",
    put: 'if (!held) return;',
    caughtBy: [
      trouble('an attempt whose lease is lost is asked to stop, though no rung came before the last'),
    ],
  },
];

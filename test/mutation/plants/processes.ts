// Faults in what needs the real world to show: clocks, processes and their groups, the watchdog, the file.

import type { Catcher, Plant } from '../plant.ts';

const watchdog = 'src/actors/isolation/watchdog.ts';
const group = 'src/actors/isolation/processGroup.ts';
const clock = (test: string): Catcher => ({ file: 'test/runtime/clock.test.ts', test });
const processes = (test: string): Catcher => ({ file: 'test/runtime/processes.test.ts', test });
const file = (test: string): Catcher => ({ file: 'test/engines/sqliteFile.test.ts', test });
const absent = (test: string): Catcher => ({ file: 'test/faults/absentHost.test.ts', test });

const gone = 'the code of a job that was ended has really stopped';

export const realWorld: Plant[] = [
  {
    name: 'timer-early-by-1-ms',
    fault: 'a timer fires up to 1 ms early',
    promise: 'no timeout fires before its time',
    file: 'src/actors/systemClock.ts',
    find: 'if (left > 0) timer.timeout = setTimeout(again,',
    put: 'if (left > 1) timer.timeout = setTimeout(arm,',
    caughtBy: [clock('never fires early')],
  },
  {
    name: 'long-timer-at-once',
    fault: 'a timer past 2^31 ms is set as one of Node',
    promise: 'timeouts may be as long as years',
    file: 'src/actors/systemClock.ts',
    find: 'Math.min(Math.ceil(left), longestMs)',
    put: 'Math.ceil(left)',
    caughtBy: [clock('of years fires at its time, not at once and not before')],
  },
  {
    name: 'judged-before-messages',
    fault: 'a timer that fires late is judged before the messages that waited are read',
    promise: 'a blocked host is not mistaken for a silent job',
    file: 'src/actors/systemClock.ts',
    find: 'else timer.immediate = setImmediate(callback);',
    put: 'else callback();',
    caughtBy: [clock('that fires late is judged after the messages that waited')],
  },
  {
    name: 'host-judges-impatiently',
    fault: 'the host judges its jobs by the plain clock',
    promise: 'what the host itself missed is not held against its jobs',
    file: 'src/runtime/liveJobs.ts',
    find: 'this.#judgement = patientClock(clock);',
    put: 'this.#judgement = clock;',
    caughtBy: [absent('that was stopped with all its children for little longer than their timeout')],
  },
  {
    name: 'watchdog-judges-impatiently',
    fault: 'the watchdog judges by the plain clock',
    promise: 'what the machine missed is not held against a job',
    file: watchdog,
    find: 'const clock = patientClock(systemClock);',
    put: 'const clock = systemClock;',
    caughtBy: [
      absent('after a host that was stopped with all its children for longer than their watchdogs wait'),
    ],
  },
  {
    name: 'watchdog-does-not-count',
    fault: 'the watchdog arms no timeout',
    promise: 'a hung process is ended while its host is blocked',
    file: watchdog,
    find: 'arm(kind, from === undefined || ms === null ? null : Math.max(1, from + ms - clock.monotonic()));',
    put: 'arm(kind, null);',
    caughtBy: [processes('a watchdog goes by its new limits, and counts from where it was')],
  },
  {
    name: 'orphan-lives',
    fault: 'the watchdog does not heed the end of its pipe',
    promise: 'no attempt outlives its host',
    file: watchdog,
    find: "pipe.on('close', kill);\npipe.on('error', kill);",
    put: "pipe.on('error', () => {});",
    caughtBy: [processes('an endless loop does not outlive its host, ended by SIGKILL')],
  },
  {
    name: 'leader-killed-alone',
    fault: 'signals go to the leader of a group and not to the group',
    promise: gone,
    file: group,
    find: 'process.kill(-group, signal);',
    put: 'process.kill(group, signal);',
    caughtBy: [processes('the whole group is killed, grandchildren that ignore SIGTERM included')],
  },
  {
    name: 'exit-taken-as-proof',
    fault: 'the exit of the leader is the proof that its group is gone',
    promise: gone,
    file: 'src/actors/isolation/processChild.ts',
    find: 'await untilGroupGone(pid);',
    put: '',
    caughtBy: [processes('a child that a job leaves behind is gone when the job is over')],
  },
  {
    name: 'exit-before-last-words',
    fault: 'an exit is judged before what the child said last is read',
    promise: 'a job that has completed is completed',
    file: 'src/actors/isolation/processChild.ts',
    find: 'await lastWordsRead(stdio.slice(3) as Socket[]);\n      end(',
    put: 'end(',
    tries: 5,
    caughtBy: [processes('one whose end is seen together with that of another is completed')],
  },
  {
    name: 'recovered-beside-its-attempt',
    fault: 'a job is recovered while the processes of its attempt live',
    promise: 'no two attempts of a job are alive at once on one machine',
    file: 'src/runtime/acts.ts',
    find: 'if (job.group !== null) await places.endGroup(job.group);',
    put: '',
    caughtBy: [
      {
        file: 'test/testing/recovery.test.ts',
        test: 'the attempt of a silent owner is proven ended before another takes its job',
      },
    ],
  },
  {
    name: 'commits-not-on-disk',
    fault: 'sqlite: commits do not wait for the disk',
    promise: 'with durability `full` what was acknowledged survives the loss of power',
    file: 'src/engines/sqlite/openDatabase.ts',
    find: "durability === 'full' ? 'FULL' : 'NORMAL'",
    put: "'OFF'",
    caughtBy: [file('with durability full commits wait for the disk as that says')],
  },
  {
    name: 'answered-before-commit',
    fault: 'sqlite: calls are answered before their transaction is committed',
    promise: 'nothing acknowledged is lost',
    file: 'src/engines/sqlite/transactions.ts',
    find: "database.exec('COMMIT');\n        this.#seenNews = last;",
    put: "committed.answers.push(...answers);\n        database.exec('COMMIT');\n        this.#seenNews = last;",
    caughtBy: [file('a full disk: what was acknowledged stays, what was not is told, and it goes on')],
  },
];

// A thread in the child process of an attempt, with an event loop of its own: the job's code may spin or block
// for ever, this ends it. It kills the whole group of this process when
// - the host is gone: the pipe that only it holds open has closed;
// - the attempt's lease is about to end, and was not renewed: the host is cut off, or stands still;
// - a limit has passed: a timeout with the stop budget on top (so it acts only where the host did not), or memory.
// Before it kills for a limit it says which on the pipe.

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import type { TimeoutKind } from '../../machines/states.ts';
import { patientClock } from '../patientClock.ts';
import { systemClock } from '../systemClock.ts';
import { readJsonLines, toJsonLine } from './jsonLines.ts';
import type { Sign, WatchdogWord, WatchOrder } from './protocol.ts';

// The descriptor after stdin, stdout, stderr and the channel: see the stdio of processChild.ts.
const fd = 4;
const memoryIntervalMs = 50;
const megabyte = 2 ** 20;
const clock = patientClock(systemClock);

const kill = () => process.kill(-process.pid, 'SIGKILL');
const killFor = (word: WatchdogWord) => {
  try {
    writeSync(fd, toJsonLine({ secret: limits?.secret, ...word }));
  } finally {
    kill();
  }
};

let limits: Exclude<WatchOrder, { type: 'rest' | 'lease' }> | null = null;
let memory: NodeJS.Timeout | undefined;
let lease: unknown = null;
const timers = new Map<TimeoutKind, unknown>();
/** For the host, which stores a checkpoint. Kept from the first sign on: it may be heard before the order to watch. */
let isWaiting = false;
/** What counts now, and since when, monotonic ms. */
const since = new Map<TimeoutKind, number>();

function arm(kind: TimeoutKind, ms: number | null, fire: () => void = () => killFor({ cause: kind })): void {
  if (timers.has(kind)) clock.clearTimeout(timers.get(kind));
  timers.delete(kind);
  if (ms !== null) timers.set(kind, clock.setTimeout(fire, ms));
}

const counted = ['job', 'heartbeat', 'progress'] as const;
type Counted = (typeof counted)[number];

function limitOf(kind: Counted): number | null {
  return { job: limits?.jobMs, heartbeat: limits?.heartbeatMs, progress: limits?.progressMs }[kind] ?? null;
}

/** Counts anew from now. */
function count(kind: Counted): void {
  since.set(kind, clock.monotonic());
  recount(kind);
}

/** Counts on, with the limit that there is now. */
function recount(kind: Counted): void {
  const from = since.get(kind);
  const ms = limitOf(kind);
  arm(kind, from === undefined || ms === null ? null : Math.max(1, from + ms - clock.monotonic()));
}

function rest(kind: TimeoutKind): void {
  since.delete(kind);
  arm(kind, null);
}

/** Deadlines count wall time, which may have been set meanwhile. */
function armDeadline(deadlineAt: number | null): void {
  if (deadlineAt === null) {
    arm('deadline', null);
    return;
  }
  arm('deadline', Math.max(1, deadlineAt - clock.now()), () => {
    if (clock.now() < deadlineAt) armDeadline(deadlineAt);
    else killFor({ cause: 'deadline' });
  });
}

/** Without patience: who was not there does not know whose job it is by now. */
function endBy(at: number): void {
  restLease();
  lease = systemClock.setTimeout(
    () => killFor({ cause: 'lease' }),
    Math.max(1, at - systemClock.monotonic()),
  );
}

function restLease(): void {
  if (lease !== null) systemClock.clearTimeout(lease);
  lease = null;
}

function obey(order: WatchOrder): void {
  if (order.type === 'lease') {
    if (limits !== null) endBy(order.endBy);
    return;
  }
  if (order.type !== 'rewatch') restLease();
  limits = order.type === 'rest' ? null : order;
  for (const kind of counted) {
    if (order.type === 'watch' && !(kind === 'progress' && isWaiting)) count(kind);
    else if (order.type === 'rewatch') recount(kind);
    else rest(kind);
  }
  armDeadline(limits?.deadlineAt ?? null);
  clearInterval(memory);
  const limitMb = limits?.memoryLimitMb ?? null;
  if (limitMb === null) return;
  memory = setInterval(() => {
    const usedMb = Math.round(process.memoryUsage.rss() / megabyte);
    if (usedMb > limitMb) killFor({ cause: 'memory', usedMb, limitMb });
  }, memoryIntervalMs);
}

parentPort?.on('message', (sign: Sign) => {
  if (sign !== 'beat') isWaiting = sign === 'waiting';
  if (sign === 'over') return obey({ type: 'rest' });
  if (limits === null) return;
  count('heartbeat');
  // While the host stores a checkpoint the job cannot progress: that is not its fault.
  if (sign === 'waiting') rest('progress');
  if (sign === 'chunk') count('progress');
});

const pipe = new Socket({ fd, readable: true, writable: false });
pipe.on('close', kill);
pipe.on('error', kill);
readJsonLines(pipe, (order) => obey(order as WatchOrder));

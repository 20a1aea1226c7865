// One path of the job's chart, walked by a real processor: each event is made to happen as it happens in an app, and after each
// of them the processor, the row and the chart must be in the same state, and the invariants hold.

import { transition } from 'xstate';
import type { Isolation } from '../../src/actors/attempt.ts';
import { gatherMs } from '../../src/actors/isolation/protocol.ts';
import type { StoredJob } from '../../src/engines/engine.ts';
import { jobMachine } from '../../src/machines/job.ts';
import { isAtRest, isFinal, type JobState } from '../../src/machines/states.ts';
import type { Verdict } from '../../src/machines/verdict.ts';
import type { TimeoutSettings } from '../../src/runtime/settings.ts';
import type { Passage } from './engineLink.ts';
import { Invariants } from './invariants.ts';
import { type EventName, eventOf, type JobSnapshot, keyOf } from './jobModel.ts';
import { type PacedAttempt, PacedPlaces } from './pacedPlaces.ts';
import { type Order, Orders, scriptedJob } from './scriptedJob.ts';
import type { Host, World } from './world.ts';

const graceSeconds = 2;
/** Of the chart's own delays, by the last part of their names. */
const delays: Record<string, number> = {
  askDelay: 1,
  graceDelay: graceSeconds,
  terminateDelay: 1,
  killDelay: 5,
  settlePause: 1,
};
const stopBudgetSeconds = 1 + graceSeconds + 1 + 5;
const backoffSeconds = 1;
const off = {
  jobTimeoutSeconds: Infinity,
  heartbeatTimeoutSeconds: Infinity,
  progressTimeoutSeconds: Infinity,
  queueTimeoutSeconds: Infinity,
  deadlineSeconds: Infinity,
};

interface Held {
  readonly verdict: Verdict;
  pass(passage: Passage): void;
}

export class JobWalk {
  readonly #world: World;
  readonly #name: string;
  readonly #isolation: Isolation;
  readonly #orders = new Orders();
  readonly invariants: Invariants;
  #snapshot: JobSnapshot;
  #host: Host<PacedPlaces>;
  /** Not started: submits, asks and acts. */
  readonly #elsewhere: Host;
  readonly #hosts: Host<PacedPlaces>[] = [];
  #id = '';
  #token: string | null = null;
  /** Of the one that took the job over. */
  #adopted: string | null = null;
  /** A settlement that waits at the gate. */
  #held: Held | null = null;
  /** What was asked for and is to be answered by the end. */
  readonly #asked: Promise<unknown>[] = [];
  #chunks = 0;
  #isDraining = false;
  /** The verdict is, and its processor does not know. */
  #isStored = false;

  constructor(world: World, name: string, isolation: Isolation, start: JobSnapshot) {
    this.#world = world;
    this.#name = name;
    this.#isolation = isolation;
    this.#snapshot = start;
    this.invariants = new Invariants(world.store, () => world.clock.now());
    this.#host = this.#newHost();
    this.#elsewhere = this.#newHost();
  }

  async begin(): Promise<void> {
    await this.#elsewhere.processor.pause(this.#name);
    await this.#host.processor.start();
    const retry = {
      maxAttempts: 2,
      backoff: { kind: 'fixed' as const, seconds: backoffSeconds },
    };
    const options = { ...off, graceSeconds, retry };
    this.#id = (await this.#elsewhere.processor.submit(this.#name, 'scripted', options)).id;
    await this.#check();
  }

  /** The state of the path that is walked from here is another one: the job's own must be the same. */
  async goOnFrom(snapshot: JobSnapshot): Promise<void> {
    this.#snapshot = snapshot;
    await this.#check();
  }

  async take(name: EventName): Promise<string> {
    const [, delay] = /^xstate\.after\.(\w+)/.exec(name) ?? [];
    if (delay !== undefined) await this.#wait(delays[delay] as number);
    else await this.#act(name);
    await this.#world.calm();
    [this.#snapshot] = transition(jobMachine, this.#snapshot, eventOf(name, this.#snapshot));
    await this.#check();
    return keyOf(this.#snapshot);
  }

  /** Whatever can happen here and moves nothing. */
  async stay(): Promise<void> {
    const { value } = this.#snapshot;
    if (this.#snapshot.matches({ running: 'processing' })) {
      if (this.#isolation === 'process') this.#attempt().hear('heartbeat');
      else this.#host.processor.heartbeat(this.#id);
      await this.#setTimeouts({ deadlineSeconds: 1e6 });
      await this.#setTimeouts(off);
    } else if (this.#snapshot.matches({ stopping: 'unconfirmed' })) {
      // A late sign of life; and whatever was asked of the engine before is asked again with the next beat.
      this.#attempt().hear('heartbeat');
      this.#host.link.tellMissed();
    } else if (this.#held !== null) {
      this.#held.pass('fail');
      await this.#world.calm();
      if (this.#held !== null) throw new Error('a settlement that was not answered was tried again at once');
      await this.#world.advance(delays.settlePause as number);
    } else if (typeof value !== 'string' && !this.#isStored) await this.#setTimeouts(off);
    await this.#check();
  }

  /** Brings the job to its end, and shows that nothing of the walk is left: no slot, no timer, nobody who waits. */
  async end(): Promise<void> {
    this.#held?.pass('go');
    this.#host.link.gate = () => 'go';
    const probe = await this.#elsewhere.processor.submit(this.#name, 'quick', off);
    await this.#world.calm();
    const { value } = this.#snapshot;
    // Tried again: it is stored now, or was.
    if (typeof value !== 'string') await this.#world.advance(delays.settlePause as number);
    const { state: left } = await this.#row();
    if (isAtRest(left)) await this.#finish();
    else if (!isFinal(left) && value !== 'superseded') throw new Error('a path ends at rest, or at the end');
    await this.invariants.check(this.#alive(), this.#name);
    await this.#slotIsHeld(probe.id);
    await this.#endAttempts();
    if (value === 'superseded') await this.#endElsewhere();
    if (this.#isDraining) await this.#nextHost();
    this.#host.places.hearsEnds = true;
    await this.#elsewhere.processor.resume(this.#name);
    await this.#world.advance(1);
    const { state } = await probe.status();
    if (state !== 'completed') throw new Error(`the slot is not free again: the next job is ${state}`);
    await Promise.all(this.#asked);
    await this.invariants.check(this.#alive(), this.#name);
    for (const host of [...this.#hosts]) await this.#world.stop(host);
  }

  #newHost(): Host<PacedPlaces> {
    const places = new PacedPlaces({ clock: this.#world.clock });
    const host = this.#world.host(places, {
      jobs: { [this.#name]: scriptedJob(this.#orders, this.#isolation) },
      maxConcurrentJobs: 1,
      monitorIntervalSeconds: 15,
      random: () => 0,
    });
    host.link.gate = (method, [id, token, verdict]) =>
      method !== 'settle' || id !== this.#id || token === null
        ? 'go'
        : new Promise((pass) => {
            this.#held = {
              verdict: verdict as Verdict,
              pass: (passage) => {
                this.#held = null;
                pass(passage);
              },
            };
          });
    this.#hosts.push(host);
    return host;
  }

  async #nextHost(): Promise<void> {
    this.#isDraining = false;
    this.#host = this.#newHost();
    await this.#host.processor.start();
    await this.#world.calm();
  }

  async #act(name: EventName): Promise<void> {
    const { processor, link } = this.#host;
    const attempt = this.#token === null ? null : this.#attempt().simulated;
    // It does what it is told by nobody but the path, and answers the request to stop if it is the first.
    if (attempt !== null && (name === 'leaseLost' || name.endsWith('Watchdog'))) attempt.hang('unkillable');
    switch (name) {
      case 'start':
        return this.#start();
      case 'cancelHere':
      case 'cancelElsewhere': {
        const here = name === 'cancelHere';
        const job = await (here ? processor : this.#elsewhere.processor).get(this.#id);
        this.#asked.push(job.cancel(here ? 'asked here' : 'asked elsewhere'));
        break;
      }
      case 'timeOutHere':
        this.#asked.push(processor.timeoutJob(this.#id));
        break;
      case 'timeOutElsewhere':
        this.#asked.push(this.#elsewhere.processor.timeoutJob(this.#id));
        break;
      case 'jobTimer':
      case 'heartbeatTimer':
      case 'progressTimer':
      case 'deadlineTimer':
        await this.#runOut(name.slice(0, -'Timer'.length) as 'job');
        break;
      case 'jobWatchdog':
      case 'progressWatchdog':
        await this.#loseTimer(name.slice(0, -'Watchdog'.length) as 'job');
        await this.#wait(2 + stopBudgetSeconds);
        this.#hear('expired');
        break;
      case 'jobMonitor':
      case 'progressMonitor':
        await this.#loseTimer(name.slice(0, -'Monitor'.length) as 'job');
        await this.#wait(2 + stopBudgetSeconds);
        await this.#untilItMoves();
        break;
      case 'queueMonitor':
      case 'deadlineMonitor': {
        const kind = name === 'queueMonitor' ? 'queue' : 'deadline';
        if (typeof this.#snapshot.value === 'string') await this.#runOut(kind);
        else {
          await this.#setTimeouts(await this.#dueInTwoSeconds(kind));
          await this.#wait(2);
          await this.#untilItMoves();
        }
        break;
      }
      case 'handBack':
        this.#isDraining = true;
        this.#asked.push(processor.drain({ graceSeconds: 0 }));
        await this.#world.advance(0.001);
        break;
      case 'leaseLost':
        await this.#takeOver();
        link.tellMissed();
        break;
      case 'acknowledged':
        this.#hear('acknowledged');
        break;
      case 'completes':
      case 'fails':
      case 'failsForGood':
        attempt?.outrun();
        this.#order(name === 'completes' ? 'complete' : name === 'fails' ? 'fail' : 'failForGood');
        await this.#world.calm();
        this.#hear('ended');
        break;
      case 'crashes':
        attempt?.end({ signal: 'SIGSEGV' });
        this.#hear('ended');
        break;
      case 'stored':
        this.#held?.pass('go');
        break;
      case 'refused':
        await this.#takeOver();
        this.#held?.pass('go');
        break;
      case 'unanswered':
        this.#held?.pass('fail');
        break;
      case 'answerLost':
        this.#isStored = true;
        this.#held?.pass('lose');
        break;
      case 'overruledByCancel':
      case 'overruledByTimeOut':
        await this.#act(name === 'overruledByCancel' ? 'cancelElsewhere' : 'timeOutElsewhere');
        await this.#world.calm();
        this.#held?.pass('go');
        break;
      default:
        throw new Error(`${name} cannot be made to happen`);
    }
    await this.#world.calm();
    // Asked for elsewhere, it is heard with the next beat: now.
    if (name.endsWith('Elsewhere') && this.#held === null) link.tellMissed();
    await this.#world.calm();
    if (attempt?.isAlive && this.#attempts().some(({ simulated }) => simulated === attempt))
      attempt.hang('unkillable');
  }

  async #start(): Promise<void> {
    if (this.#isDraining) await this.#nextHost();
    const before = this.#snapshot.value;
    await this.#elsewhere.processor.resume(this.#name);
    await this.#world.calm();
    if (before === 'retrying') {
      await this.#world.advance(backoffSeconds - 0.1);
      await this.#check();
      await this.#world.advance(0.1);
    }
    await this.#elsewhere.processor.pause(this.#name);
    await this.#world.calm();
    this.#token = (await this.#row()).token;
    this.#order('chunk');
    this.#chunks += 1;
    await this.#world.calm();
    this.#order('last');
  }

  /** What is stored is the new owner's from now on. */
  async #takeOver(): Promise<void> {
    const { token } = await this.#row();
    this.#adopted = await this.#world.store.adopt(this.#id, token as string, 'another owner', 3_600_000);
  }

  async #dueInTwoSeconds(kind: 'job' | 'heartbeat' | 'progress' | 'queue' | 'deadline') {
    const { startedAt, submittedAt, lastHeartbeat, lastProgress } = await this.#status();
    const from = {
      job: startedAt,
      heartbeat: lastHeartbeat,
      progress: lastProgress,
      queue: submittedAt,
      deadline: submittedAt,
    }[kind] as Date;
    const seconds = (this.#world.clock.now() - from.getTime()) / 1000 + 2;
    return {
      [kind === 'deadline' ? 'deadlineSeconds' : `${kind}TimeoutSeconds`]: seconds,
    } as TimeoutSettings;
  }

  /** Its time comes in two seconds; a moment before, nothing has happened. */
  async #runOut(kind: 'job' | 'heartbeat' | 'progress' | 'queue' | 'deadline'): Promise<void> {
    await this.#setTimeouts(await this.#dueInTwoSeconds(kind));
    // Signs of life are gathered on their way.
    await this.#wait(kind === 'heartbeat' && this.#isolation === 'process' ? 2 + gatherMs / 1000 : 2);
    await this.#disarm();
  }

  async #disarm(): Promise<void> {
    if (!isFinal((await this.#row()).state)) await this.#setTimeouts(off);
  }

  async #loseTimer(kind: 'job' | 'progress'): Promise<void> {
    const since = this.#host.clock.count;
    await this.#setTimeouts(await this.#dueInTwoSeconds(kind));
    const dueAt = this.#world.clock.monotonic() + 2000;
    const lost = this.#host.clock.lose(since, dueAt - 5, dueAt + 5);
    if (lost !== 1) throw new Error(`expected one timer to lose, there were ${lost}`);
  }

  /** By the next sweep, at the latest. */
  async #untilItMoves(): Promise<void> {
    const { state, isUnconfirmed } = await this.#status();
    for (let seconds = 0; ; seconds += 1) {
      const now = await this.#status();
      if (now.state !== state || now.isUnconfirmed !== isUnconfirmed || this.#held !== null) break;
      if (seconds > 20) throw new Error('the monitor did not find it');
      await this.#world.advance(1);
    }
    await this.#disarm();
  }

  async #setTimeouts(timeouts: TimeoutSettings): Promise<void> {
    await (await this.#host.processor.get(this.#id)).setTimeouts(timeouts);
    await this.#world.calm();
  }

  /** The delay is over, and a moment before it was not. */
  async #wait(seconds: number): Promise<void> {
    await this.#world.advance(seconds - 0.01);
    await this.#check();
    await this.#world.advance(0.01);
  }

  #attempt(): PacedAttempt {
    const found = this.#hosts.map(({ places }) => places.attempts.get(this.#token ?? '')).find(Boolean);
    if (found === undefined) throw new Error('no attempt has this token');
    return found;
  }

  #attempts(): PacedAttempt[] {
    return this.#hosts.flatMap(({ places }) => [...places.attempts.values()]);
  }

  #hear(word: 'acknowledged' | 'expired' | 'ended'): void {
    if (!this.#attempt().hear(word)) throw new Error(`the attempt has not said that it ${word}`);
  }

  #order(order: Order): void {
    if (!this.#orders.give(this.#token ?? '', order)) throw new Error('the attempt waits for no order');
  }

  async #row(): Promise<StoredJob> {
    return (await this.#world.store.get(this.#id)) as StoredJob;
  }

  async #status() {
    return (await this.#host.processor.get(this.#id)).status();
  }

  #alive() {
    return this.#hosts.map(({ places }) => ({
      limit: 1,
      // What has ended, and was not heard to, may be alive for all that its host knows.
      attempts: [...places.attempts.values()]
        .filter(({ simulated, isOver }) => simulated.isAlive || !isOver)
        .map(({ simulated: { spec, isolation } }) => ({ ...spec.start, isolation })),
    }));
  }

  /** What the chart, the processor and the row say is the same. */
  async #check(): Promise<void> {
    await this.#world.calm();
    const { value, context } = this.#snapshot;
    const row = await this.#row();
    const where = (typeof value === 'string' ? value : Object.keys(value)[0]) as JobState | 'superseded';
    const same = (what: string, found: unknown, expected: unknown) => {
      if (JSON.stringify(found) !== JSON.stringify(expected))
        throw new Error(
          `${keyOf(this.#snapshot)}: expected ${what} ${JSON.stringify(expected)}, got ${JSON.stringify(found)}`,
        );
    };
    if (this.#adopted !== null) same('the token', row.token, this.#adopted);
    const isLive = where === 'running' || where === 'stopping';
    same('to be alive here', this.#host.processor.activeJobs.has(this.#id), isLive);
    const isSettling = typeof value !== 'string' && Object.values(value)[0] === 'settling';
    same('a settlement under way', this.#held !== null, isSettling);
    if (this.#held !== null) sameVerdict(same, this.#held.verdict, context.verdict as Verdict);
    same('chunks', row.chunks, this.#chunks);
    if (where !== 'superseded' && this.#adopted === null) {
      const status = await this.#status();
      same('the status', status.state, this.#isStored ? context.verdict?.state : where);
      if (isLive && !isSettling && !this.#isStored) same('the rung', status.stop?.rung, context.stop?.rung);
      const isUnconfirmed = this.#snapshot.matches({ stopping: 'unconfirmed' });
      same('to be unconfirmed', status.isUnconfirmed, isUnconfirmed);
      const isGivenBack = context.verdict?.state === 'queued' && (this.#isStored || !isLive);
      same('the attempt', status.attempt, context.attempt - (isGivenBack ? 1 : 0));
      const stored = where === 'running' && row.intent !== null ? 'stopping' : where;
      same('the stored state', row.state, this.#isStored ? context.verdict?.state : stored);
      if (where === 'stopping' && !this.#isStored)
        same('the stored intent', row.intent?.kind, context.intent?.kind);
      if (isFinal(where) && context.verdict !== null) sameVerdict(same, row, context.verdict);
    }
    await this.invariants.check(this.#alive(), this.#name);
  }

  /** The job is another's now: it ends it, and what was asked here is answered. */
  async #endElsewhere(): Promise<void> {
    const { state } = await this.#row();
    if (!isFinal(state))
      await this.#world.store.settle(this.#id, this.#adopted, {
        ...(this.#snapshot.context.verdict as Verdict),
        ...{ state: 'cancelled', timeout: null, reason: null, failure: null, stop: null, result: undefined },
        ...{ notBefore: null, crashed: false, neverBegan: false },
      });
    await this.#world.calm();
  }

  /** Runs what is at rest to its end: it has forgotten what was before, and goes on from its checkpoint. */
  async #finish(): Promise<void> {
    if (this.#isDraining) await this.#nextHost();
    this.#host.link.gate = () => 'go';
    const { attempt } = await this.#row();
    await this.#world.advance(backoffSeconds);
    // Before the job that waits for the slot to be free again.
    await this.#elsewhere.processor.startJob(this.#id);
    await this.#elsewhere.processor.resume(this.#name);
    await this.#world.calm();
    await this.#elsewhere.processor.pause(this.#name);
    const running = await this.#row();
    if (running.state !== 'running' || running.attempt !== attempt + 1)
      throw new Error(`expected attempt ${attempt + 1} to run, got ${running.state} ${running.attempt}`);
    this.#token = running.token;
    this.#order('chunk');
    await this.#world.calm();
    this.#order('last');
    await this.#world.calm();
    this.#order('complete');
    await this.#world.calm();
    this.#hear('ended');
    await this.#world.calm();
    const { state, chunks } = await this.#row();
    if (state !== 'completed' || chunks !== this.#chunks + 1)
      throw new Error(`expected it to complete with ${this.#chunks + 1} chunks, got ${state} with ${chunks}`);
  }

  /** As long as something of an attempt may be alive, the next job does not start. */
  async #slotIsHeld(next: string): Promise<void> {
    if (this.#attempts().every(({ isOver }) => isOver)) return;
    await this.#elsewhere.processor.resume(this.#name);
    await this.#world.advance(2);
    const { state } = (await this.#world.store.get(next)) as StoredJob;
    if (state !== 'queued') throw new Error(`a slot is held, and the next job is ${state}`);
    await this.#elsewhere.processor.pause(this.#name);
  }

  async #endAttempts(): Promise<void> {
    for (const attempt of this.#attempts()) {
      attempt.simulated.end({ signal: 'SIGKILL' });
      attempt.hear('ended');
    }
    await this.#world.calm();
  }
}

type Said = Pick<StoredJob, 'state' | 'timeout' | 'reason' | 'stop'>;

function sameVerdict(
  same: (what: string, found: unknown, expected: unknown) => void,
  found: Said,
  expected: Said,
): void {
  const said = ({ state, timeout, reason, stop }: Said) => ({
    ...{ state, timeout, reason },
    ...(stop === null ? {} : { rung: stop.rung, confirmed: stop.confirmed }),
  });
  same('the verdict', said(found), said(expected));
}

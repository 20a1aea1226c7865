// What runs inside a child, with the channel in our hands: what it says, when it leaves, and what it no longer says.

import { trace } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AttemptRunner } from '../../src/actors/isolation/attemptRunner.ts';
import type { ChildMessage, HostMessage, Sign } from '../../src/actors/isolation/protocol.ts';

declare global {
  /** What the job of a test waits for. */
  var goOn: (() => void) | undefined;
  /** What a module of a test says of itself. */
  var seen: unknown[];
}

const said: ChildMessage[] = [];
const left: number[] = [];
const signs: Sign[] = [];
/** Called when a last word is on its way. */
let sent: (() => void)[] = [];
let runner: AttemptRunner;

beforeEach(() => {
  // An attempt beats until its process has left, which it does not here.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  for (const list of [said, left, signs]) list.length = 0;
  sent = [];
  globalThis.goOn = undefined;
  globalThis.seen = [];
  runner = new AttemptRunner({
    post(message, onSent) {
      said.push(message);
      if (onSent !== undefined) sent.push(onSent);
    },
    leave: (exitCode) => left.push(exitCode),
    sign: (sign) => signs.push(sign),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A module whose default export is this. */
const module = (exported: string) => `data:text/javascript,${encodeURIComponent(exported)}`;
const job = (body: string) =>
  module(`export default { async run(input, { log, signal, heartbeat }) { ${body} } }`);

const waits = 'await new Promise((resolve) => globalThis.goOn = resolve);';
const untilItWaits = () => vi.waitFor(() => expect(globalThis.goOn).toBeDefined());

function start(url: string, stays = false, trace: string | null = null, logLevel = 'info'): void {
  const attempt = { jobId: 'id', name: 'job', attempt: 1, token: 't', input: 'null', checkpoint: null };
  runner.receive({
    type: 'start',
    module: url,
    beatMs: 1000,
    logLevel,
    stays,
    attempt: { ...attempt, chunksDone: 0, chunkSize: 1, trace },
  });
}

const isOutcome = ({ type }: ChildMessage) => type === 'completed' || type === 'failed';
const outcomes = () => said.filter(isOutcome);
const outcome = () => vi.waitFor(() => expect(outcomes()).toHaveLength(1));
const logged = () =>
  said.flatMap((message) => (message.type === 'log' ? [JSON.parse(message.line).msg] : []));

test('it leaves when its outcome is on its way, and beats until then', async () => {
  start(job('return 7'));
  await outcome();
  expect(outcomes()).toEqual([{ type: 'completed', result: '7', stays: false }]);
  expect(left).toEqual([]);
  const beats = said.length;
  runner.receive({ type: 'ask', reason: 'too late' });
  runner.receive({ type: 'pace', beatMs: 1 });
  expect(said).toHaveLength(beats);
  vi.advanceTimersByTime(1000);
  expect(said.slice(beats)).toEqual([{ type: 'heartbeat' }]);
  sent[0]?.();
  expect(left).toEqual([0]);
  // On its way out: what the job left behind does not change how.
  runner.uncaught(new Error('left behind'));
  expect(left).toEqual([0]);
});

test('it begins with a sign of life, to its host and to its watchdog', () => {
  start(job('return 7'));
  expect(said).toEqual([{ type: 'heartbeat' }]);
  expect(signs).toEqual(['beat']);
});

test('one that rests does not beat, nor hears that its last attempt is asked to stop', async () => {
  start(job('seen.push(signal); return 7'), true);
  await outcome();
  expect(vi.getTimerCount()).toBe(0);
  runner.receive({ type: 'ask', reason: 'too late' });
  expect(seen).toMatchObject([{ aborted: false }]);
  expect(signs.at(-1)).toBe('over');
});

test('its log has the level of its host, and nothing of its process', async () => {
  start(job('log.info("too little"); log.warn("enough"); return 7'), false, null, 'warn');
  await outcome();
  const lines = said.flatMap((message) => (message.type === 'log' ? [JSON.parse(message.line)] : []));
  expect(lines).toEqual([{ level: 40, time: expect.any(Number), msg: 'enough' }]);
});

test('one that stays rests, and ends with what its job left behind', async () => {
  start(job('return 7'), true);
  await outcome();
  expect(signs.at(-1)).toBe('over');
  expect(left).toEqual([]);
  runner.uncaught(new Error('left behind'));
  expect(left).toEqual([1]);
  expect(outcomes()).toHaveLength(1);
});

test('one that was asked to stop does not stay, and tells the job why', async () => {
  start(job(`${waits} signal.throwIfAborted()`), true);
  await untilItWaits();
  runner.receive({ type: 'ask', reason: 'cancel' });
  globalThis.goOn?.();
  await outcome();
  expect(said).toContainEqual({ type: 'acknowledged' });
  expect(outcomes()).toMatchObject([
    { type: 'failed', failure: { name: 'AbortError', message: 'cancel' }, stays: false },
  ]);
});

test('what nobody catches fails the attempt; what its code says after that is not heard', async () => {
  start(job(`${waits} log.info("late"); return 7`));
  await untilItWaits();
  runner.uncaught(new Error('from a timer'));
  globalThis.goOn?.();
  await new Promise(setImmediate);
  expect(outcomes()).toMatchObject([{ type: 'failed', failure: { message: 'from a timer' }, stays: false }]);
  expect(logged()).toEqual([]);
});

test('before its first attempt it only leaves', () => {
  runner.uncaught(new Error('no attempt'));
  runner.receive({ type: 'ask', reason: 'nobody' });
  runner.receive({ type: 'pace', beatMs: 10 });
  runner.receive({ type: 'checkpoint.saved', error: null } satisfies HostMessage);
  expect(left).toEqual([1]);
  expect(said).toEqual([]);
});

test.each([
  ['export const other = 1', 'got none'],
  ['export default 7', 'got something else'],
  ['export default null', 'got something else'],
  ['export default { name: "no job" }', 'got something else'],
  ['throw new Error("does not load")', 'does not load'],
])(
  'of a module that is no job (%s) the attempt says so, and its child does not stay',
  async (text, message) => {
    start(module(text), true);
    await outcome();
    expect(outcomes()).toMatchObject([{ type: 'failed', stays: false }]);
    expect(JSON.stringify(outcomes())).toContain(message);
  },
);

test('a job that was compiled to CommonJS is found behind one more default', async () => {
  // The test runner takes the one default off by itself, but for this ending.
  start(`${module('export default { __esModule: true, default: { run: () => "compiled" } }')}#.mjs`);
  await outcome();
  expect(outcomes()).toMatchObject([{ type: 'completed', result: '"compiled"' }]);
});

test('a module can be loaded ahead, one that does not load too', async () => {
  runner.receive({ type: 'warm', module: module('throw new Error("does not load")') });
  start(job('return 7'));
  await outcome();
  expect(outcomes()).toMatchObject([{ type: 'completed' }]);
});

test('an attempt waits for the module that is being loaded ahead', async () => {
  const slow = 'await new Promise((resolve) => globalThis.goOn = resolve); seen.push("ahead")';
  runner.receive({ type: 'warm', module: module(slow) });
  start(module('seen.push("job"); export default { run: () => 7 }'));
  await untilItWaits();
  expect(seen).toEqual([]);
  globalThis.goOn?.();
  await outcome();
  expect(seen).toEqual(['ahead', 'job']);
});

test('what the code of an attempt that is over still says is no sign of life', async () => {
  const { now } = performance;
  start(job('globalThis.goOn = heartbeat; heartbeat(); return 7'), true);
  await outcome();
  const before = said.length;
  performance.now = () => now.call(performance) + 60_000;
  try {
    globalThis.goOn?.();
  } finally {
    performance.now = now;
  }
  expect(said).toHaveLength(before);
});

test('signs of life by hand are gathered, and it beats at the pace that it is told', async () => {
  start(job(`globalThis.beat = heartbeat; ${waits}`));
  await untilItWaits();
  const beats = () => said.filter(({ type }) => type === 'heartbeat').length;
  const { now } = performance;
  let at = now.call(performance) + 60_000;
  performance.now = () => at;
  try {
    const { beat } = globalThis as unknown as { beat(): void };
    const before = beats();
    for (let call = 0; call < 3; call += 1) beat();
    expect(beats()).toBe(before + 1);
    at += 20;
    beat();
    expect(beats()).toBe(before + 2);
  } finally {
    performance.now = now;
  }
  for (const beatMs of [10, 500]) {
    const before = beats();
    runner.receive({ type: 'pace', beatMs });
    // At once: the last beat may be longer ago than a beat is now.
    expect(beats()).toBe(before + 1);
    vi.advanceTimersByTime(10 * beatMs);
    expect(beats()).toBe(before + 11);
  }
});

test('one whose attempt is traced leaves when its spans are exported', async () => {
  start(job('return 7'), false, '{}');
  await outcome();
  sent[0]?.();
  expect(left).toEqual([]);
  await vi.waitFor(() => expect(left).toEqual([0]));
});

test('one that stays has its spans exported too', async () => {
  const forceFlush = async () => void seen.push('flushed');
  trace.setGlobalTracerProvider({ getTracer: () => expect.unreachable(), forceFlush } as never);
  try {
    start(job('return 7'), true, '{}');
    await vi.waitFor(() => expect(seen).toEqual(['flushed']));
  } finally {
    trace.disable();
  }
});

test('how many items there are is told before the first chunk', async () => {
  start(module('export default { start: 0, chunks: () => [], process: () => 0, total: () => 3 }'));
  await outcome();
  expect(said).toContainEqual({ type: 'total', items: 3 });
});

const chunked = module(`export default {
  start: 0,
  chunks: () => [[1], [2]],
  process: ([item], { checkpoint }) => checkpoint + item,
}`);

test('the next chunk waits for the checkpoint of the last', async () => {
  start(chunked);
  const checkpoints = () => said.filter(({ type }) => type === 'checkpoint');
  for (const count of [1, 2]) {
    await vi.waitFor(() => expect(checkpoints()).toHaveLength(count));
    expect(signs.at(-1)).toBe('waiting');
    runner.receive({ type: 'checkpoint.saved', error: null });
    expect(signs.at(-1)).toBe('chunk');
  }
  await outcome();
  expect(outcomes()).toMatchObject([{ type: 'completed', result: '3' }]);
});

test('a checkpoint that is refused fails the attempt', async () => {
  start(chunked);
  await vi.waitFor(() => expect(signs).toContain('waiting'));
  runner.receive({ type: 'checkpoint.saved', error: 'stale' });
  await outcome();
  expect(outcomes()).toMatchObject([{ type: 'failed', failure: { message: 'stale' } }]);
});

test('an answer to a checkpoint of the attempt before it is nothing to it', async () => {
  start(job(`${waits} return 7`), true);
  await untilItWaits();
  for (const error of [null, 'stale']) runner.receive({ type: 'checkpoint.saved', error });
  globalThis.goOn?.();
  await outcome();
  expect(outcomes()).toMatchObject([{ type: 'completed' }]);
});

test('an attempt that is over saves nothing more', async () => {
  start(
    module(`export default {
      start: 0,
      chunks: () => [[1]],
      async process() { ${waits} return 1; },
    }`),
  );
  await untilItWaits();
  runner.uncaught(new Error('from a timer'));
  globalThis.goOn?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(said.filter(({ type }) => type === 'checkpoint')).toEqual([]);
  expect(signs).not.toContain('waiting');
});

test('more log lines a beat than the host can take are dropped, and counted with the next beat', async () => {
  start(job('for (let line = 0; line < 10_003; line += 1) log.info("line"); await new Promise(() => {})'));
  await vi.waitFor(() => expect(logged()).toHaveLength(10_000));
  await vi.advanceTimersByTimeAsync(1000);
  expect(logged().slice(10_000)).toEqual(['3 log lines were dropped: too many']);
});

test('so is more text than that, and they are counted with the outcome at the latest', async () => {
  start(job('for (const _ of [1, 2, 3]) log.info("x".repeat(4_000_000))'));
  await outcome();
  expect(logged()).toHaveLength(3);
  expect(logged().at(-1)).toBe('1 log lines were dropped: too many');
  expect(said.findIndex(isOutcome)).toBe(said.length - 1);
});

test('just as much text as that is not too much', async () => {
  const line = (msg: string) => `${JSON.stringify({ level: 30, time: Date.now(), msg })}\n`;
  const rest = 8 * 2 ** 20 - line('x').length - line('').length;
  start(job(`for (const count of [1, ${rest}, 1]) log.info("x".repeat(count))`));
  await outcome();
  expect(logged().map(({ length }) => length)).toEqual([
    1,
    rest,
    '1 log lines were dropped: too many'.length,
  ]);
});

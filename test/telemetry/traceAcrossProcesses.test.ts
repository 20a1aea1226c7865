// One trace over all that a job passes through: the process that submits it, those that run its attempts, and the
// children in which its code makes spans of its own. Real processes, a real SDK in each of them.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { children, isAlive } from '../support/processes.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';
import { type SpanRecord, spansIn } from './spanFile.ts';
import type { TracedOrder, TracedWord } from './tracedHost.ts';

let folder: string;
let path: string;
let file: string;
let hosts: SpawnedHost<TracedWord>[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-traces-'));
  path = join(folder, 'jobs.db');
  file = join(folder, 'spans.jsonl');
  hosts = [];
});
afterEach(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function host(order: Omit<TracedOrder, 'path'>, flags: string[]): SpawnedHost<TracedWord> {
  const spawned = new SpawnedHost<TracedWord>(
    new URL('./tracedHost.ts', import.meta.url),
    { path, ...order },
    flags,
  );
  hosts.push(spawned);
  return spawned;
}

/** The flag that an app is started with, for its SDK. */
function sdk(more = ''): string[] {
  const url = new URL('./fileTracing.ts', import.meta.url);
  url.search = `file=${pathToFileURL(file).pathname}${more}`;
  return [`--import=${url.href}`];
}

async function submit(order: TracedOrder['submit'], flags: string[]): Promise<string> {
  const submitter = host({ submit: order }, flags);
  const { submitted } = await submitter.says('submitted');
  expect(await submitter.ended).toBe(0);
  return submitted;
}

async function comes(worker: SpawnedHost<TracedWord>, state: string, times = 1): Promise<void> {
  for (const until = Date.now() + 30_000; Date.now() < until; await wait(20)) {
    if (worker.words.filter((word) => 'state' in word && word.state === state).length >= times) return;
  }
  throw new Error(`expected ${state}, got ${JSON.stringify(worker.words)} ${worker.text}`);
}

async function stop(worker: SpawnedHost<TracedWord>): Promise<void> {
  process.kill(worker.pid, 'SIGTERM');
  await worker.ended;
}

const named = (spans: SpanRecord[], name: string) => spans.filter((span) => span.name === name);
const eventsOf = ({ events }: SpanRecord) => events.map(({ name }) => name);

test.each(['traced', 'tracedThread'] as const)(
  'a job that is submitted by one process, times out and is retried in another is one trace: %s',
  async (name) => {
    const isThread = name === 'tracedThread';
    const id = await submit({ name, input: { hangsIn: 1 } }, sdk());
    const worker = host({}, sdk());
    await comes(worker, 'completed');
    await stop(worker);

    const spans = spansIn(file);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const [request] = named(spans, 'request') as [SpanRecord];
    const [submitted] = named(spans, `submit ${name}`) as [SpanRecord];
    const [first, second] = named(spans, `attempt ${name}`) as [SpanRecord, SpanRecord];
    const [firstWork, secondWork] = named(spans, 'work') as [SpanRecord, SpanRecord];
    expect(spans).toHaveLength(6);
    expect([request, submitted, first, second, firstWork, secondWork].map(({ parent }) => parent)).toEqual([
      null,
      request.spanId,
      submitted.spanId,
      submitted.spanId,
      first.spanId,
      second.spanId,
    ]);

    const pids = [submitted.pid, first.pid, firstWork.pid, secondWork.pid];
    expect(new Set(pids).size).toBe(isThread ? 2 : 4);
    expect(second.pid).toBe(worker.pid);
    expect(first.endedAt - first.startedAt).toBeGreaterThan(4000);
    for (const [earlier, later] of [
      [submitted.startedAt, first.startedAt],
      [first.startedAt, firstWork.startedAt],
      [firstWork.startedAt, first.endedAt],
      [first.endedAt, second.startedAt],
      [second.startedAt, secondWork.startedAt],
      [secondWork.endedAt, second.endedAt],
    ] as const)
      expect(earlier).toBeLessThanOrEqual(later);

    expect(submitted).toMatchObject({ kind: 'PRODUCER', status: 'UNSET' });
    expect(first).toMatchObject({ kind: 'CONSUMER', status: 'ERROR: heartbeat timeout' });
    expect(first.attributes).toMatchObject({
      'messaging.message.id': id,
      'unstuck.attempt.number': 1,
      'unstuck.isolation': isThread ? 'thread' : 'process',
      'unstuck.job.state': 'retrying',
      'unstuck.timeout.kind': 'heartbeat',
      'unstuck.stop.confirmed': true,
      'unstuck.stop.rung': 'terminate',
      'error.type': 'heartbeatTimeout',
    });
    expect(eventsOf(first)).toEqual(['timeout.found', 'stop.rung', 'stop.rung', 'stop.proven']);
    expect(second).toMatchObject({ kind: 'CONSUMER', status: 'UNSET', events: [] });
    expect(second.attributes).toMatchObject({
      'unstuck.attempt.number': 2,
      'unstuck.job.state': 'completed',
    });
  },
);

test('of an attempt whose host is killed its span is told by the host that takes the job over', async () => {
  const id = await submit({ name: 'traced', input: { hangsIn: 1 } }, sdk());
  // Killed while its attempt hangs.
  const first = host({}, sdk());
  for (const until = Date.now() + 30_000; named(spansIn(file), 'work').length === 0 && Date.now() < until; )
    await wait(10);
  const [child] = children(first.pid);
  process.kill(first.pid, 'SIGKILL');
  const second = host({}, sdk());
  // Its attempt has the same number, and hangs too; the one after that completes.
  await comes(second, 'completed');
  await stop(second);
  expect(isAlive(child as number)).toBe(false);

  const spans = spansIn(file);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const [submitted] = named(spans, 'submit traced') as [SpanRecord];
  const attempts = named(spans, 'attempt traced');
  expect(attempts.map(({ pid, parent }) => [pid, parent])).toEqual(
    Array.from({ length: 3 }, () => [second.pid, submitted.spanId]),
  );
  expect(attempts.map(({ attributes }) => attributes['unstuck.attempt.number'])).toEqual([1, 1, 2]);
  const [lost, again] = attempts as [SpanRecord, SpanRecord];
  expect(lost.attributes).toMatchObject({
    'messaging.message.id': id,
    'unstuck.recovered': true,
    'unstuck.job.state': 'queued',
    'error.type': 'ownerLost',
  });
  // From its own start, which is before the second host was there.
  const [lostWork] = named(spans, 'work') as [SpanRecord];
  expect(lost.startedAt).toBeLessThanOrEqual(lostWork.startedAt);
  expect(lost.endedAt).toBeGreaterThan(lostWork.startedAt);
  expect(lost.endedAt).toBeLessThanOrEqual(again.startedAt);
});

test.each(['traced', 'tracedThread'] as const)(
  "spans that a job's child keeps for a batch are exported before it ends: %s",
  async (name) => {
    await submit({ name, input: {} }, sdk());
    await submit({ name, input: { throws: true } }, sdk());
    const worker = host({}, sdk('&batch'));
    await comes(worker, 'completed');
    await comes(worker, 'failed');
    // The host's own are not, until its app flushes them.
    const spans = spansIn(file);
    const submits = named(spans, `submit ${name}`);
    expect(new Set(named(spans, 'work').map(({ traceId }) => traceId))).toEqual(
      new Set(submits.map(({ traceId }) => traceId)),
    );
    expect(named(spans, `attempt ${name}`)).toEqual([]);
    await stop(worker);
  },
);

test('an SDK that is loaded by NODE_OPTIONS is in the children too', async () => {
  process.env.NODE_OPTIONS = sdk()[0];
  try {
    for (const name of ['traced', 'tracedThread'] as const) await submit({ name, input: {} }, []);
    const worker = host({}, []);
    await comes(worker, 'completed', 2);
    await stop(worker);
  } finally {
    delete process.env.NODE_OPTIONS;
  }
  const spans = spansIn(file);
  for (const name of ['traced', 'tracedThread']) {
    const [attempt] = named(spans, `attempt ${name}`) as [SpanRecord];
    expect(named(spans, 'work').map(({ parent }) => parent)).toContain(attempt.spanId);
  }
});

test('with no SDK nothing is stored, and the API is not loaded in the children for it', async () => {
  const journal = join(folder, 'loaded');
  const hook = new URL('./loadedModules.ts', import.meta.url);
  hook.search = `file=${journal}`;
  const id = await submit({ name: 'remembering', input: 'none' }, []);
  const worker = host({}, [`--import=${hook.href}`]);
  await comes(worker, 'completed');
  await stop(worker);
  const database = new DatabaseSync(path);
  const stored = database.prepare('SELECT trace, result FROM jobs WHERE id = ?').get(id) as Record<
    string,
    string
  >;
  database.close();
  expect(stored.trace).toBeNull();
  // The host did; so the hook works.
  expect(new Set(readFileSync(journal, 'utf8').trim().split('\n'))).toEqual(new Set([String(worker.pid)]));
  expect(JSON.parse(stored.result as string).pid).not.toBe(worker.pid);
});

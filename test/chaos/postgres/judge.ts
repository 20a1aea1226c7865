// What is stored when all is over, against what was said to those who submitted and acted: nothing is lost, nothing is there twice, each job
// is settled once, in a state that somebody wanted, and by its own history no limit was passed.

import type { OwnPostgres } from '../../support/ownPostgres.ts';
import { limits } from './jobs.ts';

/** What a submitter has said. */
export interface Heard {
  readonly acknowledged: ReadonlySet<string>;
  /** Key → how somebody tried to end it. */
  readonly acts: ReadonlyMap<string, ReadonlySet<string>>;
  /** Key → the final state that somebody was told. */
  readonly told: ReadonlyMap<string, string>;
}

export interface StoredCount {
  submitted: number;
  completed: number;
  cancelled: number;
  timedOut: number;
  /** Acknowledged, but not there; not ended as it must, or as was told; without all of its rows; an order without its job. */
  lost: number;
  /** A key with two jobs, a row that is there twice, a job without its order, a tick with two jobs. */
  doubled: number;
  settledTwice: number;
  ticks: number;
}

interface Row {
  id: string;
  name: keyof typeof limits | 'tick';
  state: string;
  input: string;
  chunks: number;
  key: string | null;
  history: string;
  rows: number[];
}

export async function judge(
  server: OwnPostgres,
  heard: Heard,
): Promise<StoredCount & { exceeded: string[]; findings: string[] }> {
  const jobs = (await server.ask(
    `SELECT id, name, state, input, chunks, concurrency_key AS key, history,
       ARRAY(SELECT (row::json->>'index')::int FROM unstuck.output o WHERE o.job = j.seq ORDER BY n) AS rows
     FROM unstuck.jobs j ORDER BY seq`,
  )) as unknown as Row[];
  const orders = new Set((await server.ask('SELECT key FROM audit.orders')).map(({ key }) => String(key)));
  const ticks = (await server.ask('SELECT at, job FROM audit.ticks')) as unknown as {
    at: number;
    job: string;
  }[];
  const [changed] = await server.ask('SELECT count(*)::int AS n FROM audit.changed_when_over');
  const findings: string[] = [];
  const count: StoredCount = {
    ...{ submitted: jobs.length, lost: 0, doubled: 0, settledTwice: Number(changed?.n), ticks: ticks.length },
    ...{ completed: 0, cancelled: 0, timedOut: 0 },
  };
  const found = (kind: 'lost' | 'doubled' | 'settledTwice', what: string) => {
    count[kind] += 1;
    findings.push(`${kind}: ${what}`);
  };

  const keys = new Set<string>();
  for (const job of jobs) {
    if (job.state === 'completed' || job.state === 'cancelled' || job.state === 'timedOut')
      count[job.state] += 1;
    const ends = historyOf(job).filter(({ state }) => isEnd(state));
    if (ends.length !== 1) found('settledTwice', `${job.id} ${job.history}`);
    if (job.name === 'tick') continue;
    const { key, chunks = 0 } = JSON.parse(job.input) as { key: string; chunks?: number };
    if (keys.has(key)) found('doubled', `${key} has two jobs`);
    keys.add(key);
    if (new Set(job.rows).size !== job.rows.length) found('doubled', `${key} has rows ${job.rows}`);
    // As far as it came, and to the end where it is completed.
    const whole = job.state === 'completed' && job.name === 'steps' ? chunks : job.chunks;
    if (job.rows.join() !== Array.from({ length: whole }, (_, index) => index).join())
      found('lost', `rows of ${key}: ${job.rows.length} of ${whole}`);
    const wanted = key.startsWith('endless') ? ['timedOut'] : ['completed', ...(heard.acts.get(key) ?? [])];
    if (!wanted.includes(job.state)) found('lost', `${key} is ${job.state}, not ${wanted}: ${job.history}`);
    const told = heard.told.get(key);
    if (told !== undefined && told !== job.state)
      found('lost', `${key} is ${job.state}, and was told as ${told}`);
    if (key.startsWith('within') && !orders.has(key)) found('doubled', `${key} without its order`);
  }
  for (const key of heard.acknowledged) if (!keys.has(key)) found('lost', `${key} is not there`);
  for (const key of orders) if (!keys.has(key)) found('lost', `the order ${key} without its job`);

  const ticked = new Set(ticks.map(({ job }) => job));
  if (new Set(ticks.map(({ at }) => at)).size !== ticks.length) found('doubled', 'a tick came twice');
  for (const { id, name } of jobs)
    if (name === 'tick' && !ticked.has(id)) found('doubled', `job ${id} of no tick`);
  const made = new Set(jobs.map(({ id }) => id));
  for (const { job } of ticks) if (!made.has(job)) found('lost', `the job ${job} of a tick`);
  return { ...count, exceeded: exceededIn(jobs), findings };
}

interface Entry {
  state: string;
  at: number;
}

function historyOf({ history }: Row): Entry[] {
  return JSON.parse(`[${history}]`);
}

const isEnd = (state: string) => ['completed', 'failed', 'timedOut', 'cancelled'].includes(state);

/** By the histories of all jobs: beginnings of one more attempt than a limit lets, one line each. */
function exceededIn(jobs: readonly Row[]): string[] {
  return Object.entries(limits).flatMap(([name, { concurrency, concurrencyPerKey }]) => {
    const ofName = jobs.filter((job) => job.name === name);
    const byKey = Object.entries(Object.groupBy(ofName, ({ key }) => key ?? ''));
    return [
      ...over(name, ofName, concurrency),
      ...byKey.flatMap(([key, ofKey = []]) =>
        key === '' ? [] : over(`${name} ${key}`, ofKey, concurrencyPerKey),
      ),
    ];
  });
}

function over(what: string, jobs: readonly Row[], limit: number): string[] {
  const steps: { at: number; begins: boolean; job: Row }[] = [];
  for (const job of jobs) {
    let isAlive = false;
    let at = 0;
    for (const entry of historyOf(job)) {
      const { state } = entry;
      if (state === 'stopping' || (state === 'running') === isAlive) continue;
      isAlive = state === 'running';
      // Who is far from the database writes a little too early.
      at = Math.max(at, entry.at);
      steps.push({ at, begins: isAlive, job });
    }
  }
  // Of the same time an end comes first: what is written is never ahead of the clock.
  steps.sort((a, b) => a.at - b.at || Number(a.begins) - Number(b.begins));
  const alive = new Set<Row>();
  const exceeded: string[] = [];
  for (const { at, begins, job } of steps) {
    if (!begins) alive.delete(job);
    else if (alive.add(job).size > limit)
      exceeded.push(
        `limitsExceeded: ${what} at ${at}: ${[...alive].map(({ id, history }) => `${id} ${history}`).join('; ')}`,
      );
  }
  return exceeded;
}

// What a row may become: a final state stays, the history is a path of the chart, attempts and chunks count up one by one, what was
// appended is there once and in order, and nothing of a job at rest is timed out before its time.

import type { StoredJob } from '../../../src/engines/engine.ts';
import { isAtRest, isFinal } from '../../../src/machines/states.ts';
import { mayFollow } from '../chartPaths.ts';
import type { JobRecord } from '../record.ts';
import type { Witness } from '../witness.ts';

export class RowInvariants {
  readonly #witness: Witness;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  async check(record: JobRecord, before: StoredJob | null, row: StoredJob): Promise<void> {
    const broken = (invariant: string, what: string) =>
      this.#witness.broken(invariant, `${record.label}: ${what}`);
    if (before === null) return;
    if (isFinal(before.state) && row.state !== before.state)
      broken('a final state never changes', `it was ${before.state} and is ${row.state}`);
    this.#checkHistory(before, row, broken);
    this.#checkChunks(record, before, row, broken);
    if (row.state !== before.state) await this.#entered(record, before, row, broken);
  }

  #checkHistory(before: StoredJob, row: StoredJob, broken: (invariant: string, what: string) => void): void {
    const { history } = row;
    for (const [index, entry] of before.history.entries())
      if (history[index]?.state !== entry.state || history[index]?.at !== entry.at)
        broken('the history is only added to', `its entry ${index} was ${entry.state}`);
    for (let index = Math.max(1, before.history.length); index < history.length; index += 1) {
      const [from, to] = [history[index - 1]?.state, history[index]?.state];
      if (from !== undefined && to !== undefined && !mayFollow(from, to))
        broken('the history is a path of the chart', `${from} was followed by ${to}`);
    }
    const last = history.at(-1);
    if (last?.state !== row.state)
      broken('the history ends in the state', `${row.state} after ${last?.state}`);
    const started = history.filter(({ state }) => state === 'running').length;
    const givenBack = history.filter(({ state }, index) => state === 'queued' && index > 0).length;
    if (row.attempt !== started - givenBack)
      broken('attempts count one by one', `${row.attempt} after ${started} starts, ${givenBack} given back`);
    if (row.attempt > row.settings.retry.maxAttempts)
      broken('no more attempts than allowed', `attempt ${row.attempt} of ${row.settings.retry.maxAttempts}`);
  }

  #checkChunks(
    { acknowledged }: JobRecord,
    before: StoredJob,
    row: StoredJob,
    broken: (invariant: string, what: string) => void,
  ): void {
    if (row.chunks < acknowledged)
      broken(
        'nothing acknowledged is lost',
        `chunk ${acknowledged} was acknowledged, ${row.chunks} are stored`,
      );
    if (row.chunks === before.chunks) return;
    if (row.chunks !== before.chunks + 1)
      broken('chunks are stored one by one', `${row.chunks} after ${before.chunks}`);
    if (row.checkpoint !== String(row.chunks))
      broken('a chunk is stored with its checkpoint', `checkpoint ${row.checkpoint} of chunk ${row.chunks}`);
  }

  async #entered(
    record: JobRecord,
    before: StoredJob,
    row: StoredJob,
    broken: (invariant: string, what: string) => void,
  ): Promise<void> {
    const { paused, wallNow, store } = this.#witness;
    const { state } = row;
    if (state === 'running') {
      if (paused.has(row.name)) broken('a paused name starts nothing', `${row.name} is paused`);
      const latest = Math.max(record.wallHigh, wallNow);
      if (before.notBefore !== null && latest < before.notBefore)
        broken('nothing starts before its time', `${before.notBefore - latest} ms early`);
    }
    if (state === 'cancelled' && !record.isCancelAsked)
      broken('what was asked is what happened', 'cancelled, and nobody asked for it');
    if (state === 'timedOut' && isAtRest(before.state)) this.#checkAtRest(record, before, row, broken);
    const isChunked = this.#witness.plan.names.find(({ name }) => name === row.name)?.chunked === true;
    if (state === 'completed' && isChunked && row.chunks !== JSON.parse(row.input).chunks)
      broken('completed is the whole work', `${row.chunks} chunks of ${row.input}`);
    if (!isFinal(state)) return;
    if (row.token !== null || row.endedAt === null)
      broken('a final job has no attempt', `token ${row.token !== null}, ended ${row.endedAt}`);
    const rows: { chunk: number }[] = [];
    for await (const each of store?.rows(row.id) ?? []) rows.push(JSON.parse(each));
    const chunks = rows.map(({ chunk }) => chunk);
    if (chunks.length !== row.chunks || chunks.some((chunk, index) => chunk !== index + 1))
      broken('what is appended is there once and in order', `[${chunks}] after ${row.chunks} chunks`);
  }

  #checkAtRest(
    { wallHigh, queueDueAt, deadlineAt, isTimeOutAsked }: JobRecord,
    before: StoredJob,
    row: StoredJob,
    broken: (invariant: string, what: string) => void,
  ): void {
    const latest = Math.max(wallHigh, this.#witness.wallNow);
    if (row.reason === 'timed out by hand' && isTimeOutAsked) return;
    const dueAt = row.timeout === 'queue' ? queueDueAt : deadlineAt;
    // By hand it is told as a queue timeout.
    if (isTimeOutAsked && row.timeout === 'queue') return;
    if (latest < dueAt) broken('never early', `its ${row.timeout} timeout came ${dueAt - latest} ms early`);
    if (row.timeout === 'queue' && before.startedAt !== null)
      broken('a queue timeout counts to the first start', `it had started`);
  }
}

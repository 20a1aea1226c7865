// What people set for all jobs of a name: schedules, and which names are paused.

import type { NewJob, ScheduleQuery, StoredJob, StoredSchedule } from '../engine.ts';
import { settingsFrom, settingsText } from '../jobText.ts';
import { submit } from './submissions.ts';
import type { Query, Transaction } from './transaction.ts';

interface ScheduleRow {
  key: string;
  revision: string;
  name: string;
  settings: string;
  job: string;
  cron: string;
  time_zone: string;
  overlap: 'skip' | 'allow';
  next_tick_at: number;
  counted_from: number;
  last_tick_at: number | null;
  last_job_id: string | null;
  last_skip_at: number | null;
}

export async function schedules(
  query: Query,
  schema: string,
  { key, names, dueBy, limit }: ScheduleQuery,
): Promise<StoredSchedule[]> {
  const rows = await query<ScheduleRow>(
    `SELECT * FROM ${schema}.schedules WHERE ($1::text IS NULL OR key = $1) AND ($2::text[] IS NULL OR name = ANY($2))
       AND ($3::float8 IS NULL OR next_tick_at <= $3) ORDER BY next_tick_at LIMIT $4`,
    [key ?? null, names ?? null, dueBy ?? null, limit ?? null],
  );
  return rows.map((row) => ({
    key: row.key,
    revision: row.revision,
    cron: row.cron,
    timeZone: row.time_zone,
    overlap: row.overlap,
    job: { ...JSON.parse(row.job), settings: settingsFrom(row.settings) },
    nextTickAt: row.next_tick_at,
    countedFrom: row.counted_from,
    lastTickAt: row.last_tick_at,
    lastJobId: row.last_job_id,
    lastSkipAt: row.last_skip_at,
  }));
}

/** The jobs as `submit` answers, or null: another schedule is under the key by now. */
export async function storeSchedule(
  tx: Transaction,
  schedule: StoredSchedule,
  instead: string | null,
  jobs: readonly NewJob[],
): Promise<StoredJob[] | null> {
  const { settings, ...job } = schedule.job;
  const values = [
    schedule.key,
    schedule.revision,
    job.name,
    settingsText(settings),
    JSON.stringify(job),
    schedule.cron,
    schedule.timeZone,
    schedule.overlap,
    schedule.nextTickAt,
    schedule.countedFrom,
    schedule.lastTickAt,
    schedule.lastJobId,
    schedule.lastSkipAt,
  ];
  const columns =
    'revision, name, settings, job, cron, time_zone, overlap, next_tick_at, counted_from, last_tick_at, last_job_id, last_skip_at';
  // Of two that put their own in the same place the second waits for the first, and finds another revision.
  const stored = await tx.query(
    instead === null
      ? `INSERT INTO ${tx.schema}.schedules (key, ${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (key) DO NOTHING RETURNING key`
      : `UPDATE ${tx.schema}.schedules SET (${columns}) = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         WHERE key = $1 AND revision = $14 RETURNING key`,
    instead === null ? values : [...values, instead],
  );
  if (stored.length === 0) return null;
  tx.controlsChanged();
  return submit(tx, jobs);
}

export async function removeSchedule(tx: Transaction, key: string): Promise<boolean> {
  const removed = await tx.query(`DELETE FROM ${tx.schema}.schedules WHERE key = $1 RETURNING key`, [key]);
  if (removed.length > 0) tx.controlsChanged();
  return removed.length > 0;
}

/** `tx` has waited for the claims that are under way: what they have claimed is stored by now. */
export async function setPaused(tx: Transaction, name: string, isPaused: boolean): Promise<void> {
  const changed = await tx.query(
    isPaused
      ? `INSERT INTO ${tx.schema}.paused (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name`
      : `DELETE FROM ${tx.schema}.paused WHERE name = $1 RETURNING name`,
    [name],
  );
  if (changed.length > 0) tx.controlsChanged();
}

export async function pausedNames(query: Query, schema: string): Promise<string[]> {
  const rows = await query<{ name: string }>(`SELECT name FROM ${schema}.paused ORDER BY name COLLATE "C"`);
  return rows.map(({ name }) => name);
}

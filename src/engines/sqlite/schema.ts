// The tables of the SQLite engine, and how an older file becomes a newer one. A file of a newer version than this
// code knows is refused: what it does not know it could break.

import type { DatabaseSync } from 'node:sqlite';
import { EngineError } from '../engine.ts';

/** Each step brings a file from the version that is its index to the next. Never changed once released. */
const migrations: readonly string[] = [
  `
  CREATE TABLE jobs (
    -- In the order of submission.
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    input TEXT NOT NULL,
    settings TEXT NOT NULL,
    priority REAL NOT NULL,
    notBefore REAL,
    idempotencyKey TEXT,
    concurrencyKey TEXT,
    keyLimit REAL NOT NULL,
    inOrder INTEGER NOT NULL,
    retryOf TEXT,
    -- What OpenTelemetry's propagator wrote at the submit, JSON.
    trace TEXT,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    owner TEXT,
    submittedAt REAL NOT NULL,
    -- When it came to wait, at first or again.
    restedAt REAL NOT NULL,
    startedAt REAL,
    endedAt REAL,
    queueDueAt REAL,
    deadlineAt REAL,
    lastHeartbeatAt REAL,
    lastProgressAt REAL,
    checkpoint TEXT,
    chunks INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    claimedAhead INTEGER NOT NULL DEFAULT 0,
    items REAL NOT NULL DEFAULT 0,
    total REAL,
    intent TEXT,
    timeout TEXT,
    reason TEXT,
    failure TEXT,
    result TEXT,
    stop TEXT,
    -- JSON objects with commas between them.
    history TEXT NOT NULL,
    -- At rest: its rank, the lowest starts first; what it waits for (stages.ts); and the wall time at which
    -- it times out. All null otherwise, but for the stage of a live job that has a concurrency key.
    rank REAL,
    stage INTEGER,
    dueAt REAL,
    -- Alive: until when its owner holds it, in ms of the monotonic clock of this boot of the machine; and the
    -- holder's lock (holderLock.ts).
    leaseUntil REAL,
    boot TEXT,
    holder TEXT,
    processGroup TEXT
  ) STRICT;
  CREATE UNIQUE INDEX jobs_by_key ON jobs (idempotencyKey, name) WHERE idempotencyKey IS NOT NULL;
  CREATE INDEX jobs_ready ON jobs (name, rank) WHERE stage = 1;
  CREATE INDEX jobs_behind ON jobs (rank) WHERE stage = 2;
  CREATE INDEX jobs_waiting ON jobs (notBefore) WHERE stage = 0;
  CREATE INDEX jobs_keyed ON jobs (name, concurrencyKey, stage, rank)
    WHERE concurrencyKey IS NOT NULL AND stage IS NOT NULL;
  CREATE INDEX jobs_due ON jobs (dueAt) WHERE dueAt IS NOT NULL;
  CREATE INDEX jobs_live ON jobs (holder, name) WHERE token IS NOT NULL;
  CREATE INDEX jobs_by_state ON jobs (state, submittedAt);
  CREATE INDEX jobs_by_name ON jobs (name, submittedAt);
  CREATE INDEX jobs_by_time ON jobs (submittedAt);
  -- Those that keep others of their key waiting while they wait themselves.
  CREATE INDEX jobs_pausing ON jobs (name, concurrencyKey) WHERE stage = 0 AND inOrder = 1 AND state = 'retrying';
  -- How many jobs of each name are in each state, so that nobody counts them. What is submitted is counted by the call, and
  -- not for each job.
  CREATE TABLE tally (
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (name, state)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER jobs_move AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
    UPDATE tally SET n = n - 1 WHERE name = old.name AND state = old.state;
    INSERT INTO tally VALUES (new.name, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
  END;
  CREATE TRIGGER jobs_go AFTER DELETE ON jobs BEGIN
    UPDATE tally SET n = n - 1 WHERE name = old.name AND state = old.state;
  END;
  -- One for each transaction, for the other processes on this file: what it changed, a JSON array of [id, state],
  -- and the last place that was given out. The oldest are dropped.
  CREATE TABLE news (
    n INTEGER PRIMARY KEY,
    changes TEXT NOT NULL,
    place INTEGER NOT NULL
  ) STRICT;
  -- Attempts of names with a rate, as long as it needs them.
  CREATE TABLE starts (
    name TEXT NOT NULL,
    at REAL NOT NULL,
    n INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX starts_by_name ON starts (name, at);
  CREATE TABLE output (
    job INTEGER NOT NULL,
    n INTEGER NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (job, n)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE schedules (
    key TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    -- Of its jobs; their settings and the rest of them, JSON.
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    job TEXT NOT NULL,
    cron TEXT NOT NULL,
    timeZone TEXT NOT NULL,
    overlap TEXT NOT NULL,
    nextTickAt REAL NOT NULL,
    countedFrom REAL NOT NULL,
    lastTickAt REAL,
    lastJobId TEXT,
    lastSkipAt REAL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedules_next ON schedules (name, nextTickAt);
  CREATE TABLE paused (
    name TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
  -- Jobs that are no more, with rows in output that are still to go.
  CREATE TABLE pruned (
    job INTEGER PRIMARY KEY
  ) STRICT;
  `,
  `
  -- Processors at work, each as it last told of itself (facts, JSON): on which boot and when by its monotonic clock, when by the
  -- wall's, from when on it counts as gone, and the lock by which it is known to live.
  CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    facts TEXT NOT NULL,
    boot TEXT NOT NULL,
    seenOn REAL NOT NULL,
    seenAt REAL NOT NULL,
    goneOn REAL NOT NULL,
    holder TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Of a database that has tables and is not ours nothing is changed: a name was mistyped. */
export function refuseForeign(database: DatabaseSync, path: string): void {
  const { version } = database.prepare('SELECT user_version AS version FROM pragma_user_version').get() as {
    version: number;
  };
  const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as {
    tables: number;
  };
  if (version === 0 && tables > 0)
    throw new EngineError(
      `${path}: expected a file with jobs, or none, got an SQLite database of something else. Name another file.`,
    );
}

/** Brings an open file up to date. The caller holds no transaction. */
export function migrate(database: DatabaseSync, path: string): void {
  const version = () =>
    (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  const known = migrations.length;
  if (version() > known) {
    throw new EngineError(
      `${path}: expected a file of version ${known} or older, got version ${version()}. Use the newer unstuck that wrote it.`,
    );
  }
  if (version() === known) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been here first.
    for (const step of migrations.slice(version())) database.exec(step);
    database.exec(`PRAGMA user_version = ${known}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

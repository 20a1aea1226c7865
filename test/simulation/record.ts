// What the witness knows of one job: its row as it was seen last, and what was told, asked and acknowledged of it.

import type { StoredJob } from '../../src/engines/engine.ts';

export class JobRecord {
  readonly id: string;
  readonly label: string;
  /** As it was stored last. */
  row: StoredJob;
  /** In which order jobs were stored. */
  readonly order: number;
  /** The latest wall time since it was submitted, ms. */
  wallHigh: number;
  /** Chunks whose checkpoints were acknowledged to an attempt. */
  acknowledged = 0;
  isCancelAsked = false;
  isTimeOutAsked = false;
  isPromoted = false;
  /** Of each timeout the least and the most it has been, s; and the wall times. */
  readonly seconds: Record<'job' | 'heartbeat' | 'progress', { least: number; most: number }>;
  queueDueAt = Infinity;
  deadlineAt = Infinity;
  /** Since when it is past its deadline, monotonic ms. */
  overdueSince: number | null = null;

  constructor(row: StoredJob, label: string, order: number, wall: number) {
    this.id = row.id;
    this.label = label;
    this.row = row;
    this.order = order;
    this.wallHigh = wall;
    const { jobTimeoutSeconds, heartbeatTimeoutSeconds, progressTimeoutSeconds } = row.settings;
    this.seconds = {
      job: { least: jobTimeoutSeconds, most: jobTimeoutSeconds },
      heartbeat: { least: heartbeatTimeoutSeconds, most: heartbeatTimeoutSeconds },
      progress: { least: progressTimeoutSeconds, most: progressTimeoutSeconds },
    };
    this.seen(row);
  }

  seen(row: StoredJob): void {
    this.row = row;
    const { jobTimeoutSeconds, heartbeatTimeoutSeconds, progressTimeoutSeconds } = row.settings;
    widen(this.seconds.job, jobTimeoutSeconds);
    widen(this.seconds.heartbeat, heartbeatTimeoutSeconds);
    widen(this.seconds.progress, progressTimeoutSeconds);
    this.queueDueAt = Math.min(this.queueDueAt, row.queueDueAt ?? Infinity);
    this.deadlineAt = Math.min(this.deadlineAt, row.deadlineAt ?? Infinity);
  }
}

function widen(range: { least: number; most: number }, seconds: number): void {
  range.least = Math.min(range.least, seconds);
  range.most = Math.max(range.most, seconds);
}

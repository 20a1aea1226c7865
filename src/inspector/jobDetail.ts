// Everything that is known of one job, for the one page that shows it: its status, and what its code was given, has stored and
// has said. Redacted and bounded.

import type { JobProcessor, JobStatus, Jobs } from '../index.ts';
import type { JobChartContext } from '../machines/jobMessages.ts';
import type { Inspection } from '../runtime/inspection.ts';
import type { JobLines } from './jobLines.ts';
import type { Redaction } from './redaction.ts';

export interface JobDetail extends JobStatus {
  readonly input: unknown;
  /** Null: none yet. */
  readonly checkpoint: unknown;
  readonly result: unknown;
  /** Of its live chart. Null where it is not alive here. */
  readonly context: unknown;
  /** The last lines of its log, oldest first, as the log has them; those of this processor only. */
  readonly lines: readonly LogLine[];
}

export interface LogLine {
  /** Wall ms; null where the log has none. */
  readonly at: number | null;
  readonly level: number;
  readonly msg: string;
  readonly fields: Record<string, unknown>;
}

export interface DetailSources {
  readonly processor: JobProcessor<Jobs>;
  readonly inspection: Inspection;
  readonly lines: JobLines;
  readonly redaction: Redaction;
}

/** Throws JobNotFoundError. */
export async function jobDetail(id: string, sources: DetailSources): Promise<JobDetail> {
  const { processor, inspection, lines, redaction } = sources;
  const stored = await inspection.stored(id);
  const status = await (await processor.get(id)).status();
  const shown = (json: string | null) => (json === null ? null : redaction.shownText(json));
  const context: JobChartContext | null = inspection.contextOf(id);
  return {
    ...redaction.redacted(status),
    input: shown(stored.input),
    checkpoint: shown(stored.checkpoint),
    result: shown(stored.result),
    context: context === null ? null : redaction.shownOfChart(context),
    lines: lines.of(id).map((line) => lineOf(line, redaction)),
  };
}

function lineOf(line: string, redaction: Redaction): LogLine {
  // What every line of the job repeats is said by the page already.
  const { time, level, msg, pid, hostname, name, jobId, job, attempt, ...fields } = parsed(line);
  return {
    at: typeof time === 'number' ? time : null,
    level: typeof level === 'number' ? level : 30,
    msg: typeof msg === 'string' ? msg : '',
    fields: redaction.shown(fields) as Record<string, unknown>,
  };
}

/** A logger may write what it likes. */
function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line.trimEnd() };
  }
}

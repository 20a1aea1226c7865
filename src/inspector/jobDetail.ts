// Everything that is known of one job, for the one page that shows it: its status, and what its code was given, has stored and
// has said. Redacted and bounded.

import { type Logger, symbols } from 'pino';
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
  /** `info`, `error`; or one of the app's own. */
  readonly level: string;
  readonly msg: string;
  readonly fields: Record<string, unknown>;
}

export interface DetailSources {
  readonly processor: JobProcessor<Jobs>;
  readonly inspection: Inspection;
  readonly lines: JobLines;
  /** That wrote the lines. */
  readonly logger: Logger;
  readonly redaction: Redaction;
}

/** Throws JobNotFoundError. */
export async function jobDetail(id: string, sources: DetailSources): Promise<JobDetail> {
  const { processor, inspection, logger, lines, redaction } = sources;
  const stored = await inspection.stored(id);
  const status = await (await processor.get(id)).status();
  const shown = (json: string | null) => (json === null ? null : redaction.shownText(json));
  const context: JobChartContext | null = inspection.contextOf(id);
  return {
    ...told(status, redaction),
    input: shown(stored.input),
    checkpoint: shown(stored.checkpoint),
    result: shown(stored.result),
    context: context === null ? null : redaction.shownOfChart(context),
    lines: lines.of(id).map((line) => lineOf(line, logger, redaction)),
  };
}

/** Texts cut, however many attempts there were. */
function told(status: JobStatus, redaction: Redaction): JobStatus {
  const { failure, history, ...rest } = redaction.status(status);
  const shown = <T>(value: T) => redaction.shown(value) as T;
  return { ...rest, failure: shown(failure), history: history.map(shown) };
}

/** Under which key pino writes the text of a line. Not among its types. */
const { messageKeySym } = symbols as unknown as { readonly messageKeySym: symbol };

function lineOf(line: string, logger: Logger, redaction: Redaction): LogLine {
  const key = (logger as unknown as Record<symbol, string | undefined>)[messageKeySym] ?? 'msg';
  // What every line of the job repeats is said by the page already.
  const { time, level, [key]: msg, pid, hostname, name, jobId, job, attempt, ...fields } = parsed(line);
  const at = typeof time === 'number' ? time : Date.parse(String(time));
  return {
    at: Number.isNaN(at) ? null : at,
    level: typeof level === 'number' ? (logger.levels?.labels[level] ?? String(level)) : String(level ?? ''),
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

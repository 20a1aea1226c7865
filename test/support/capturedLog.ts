// A pino logger whose lines a test can read: level and message, as an operator greps them.

import { type Logger, pino } from 'pino';

export interface CapturedLog {
  logger: Logger;
  /** `WARN: Found 1 stuck job(s), forcing timeout` */
  lines: string[];
  records: Record<string, unknown>[];
}

export function capturedLog(): CapturedLog {
  const lines: string[] = [];
  const records: Record<string, unknown>[] = [];
  const logger: Logger = pino(
    { level: 'debug' },
    {
      write(text: string) {
        const record = JSON.parse(text);
        records.push(record);
        lines.push(`${logger.levels.labels[record.level]?.toUpperCase()}: ${record.msg}`);
      },
    },
  );
  return { logger, lines, records };
}

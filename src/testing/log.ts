// A log that a test can read, and nobody else does.

import { type Logger, pino } from 'pino';

export interface TestLog {
  readonly logger: Logger;
  /** `WARN: Found 1 stuck job(s), forcing timeout` */
  readonly lines: string[];
}

export function testLog(level: string): TestLog {
  const lines: string[] = [];
  const write = (text: string) => {
    const { level: number, msg } = JSON.parse(text);
    lines.push(`${pino.levels.labels[number]?.toUpperCase()}: ${msg}`);
  };
  return { logger: pino({ level, base: null }, { write }), lines };
}

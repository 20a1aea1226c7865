// The log of a run, for people, on standard error. Word for word what the library logs; only the transitions of
// the job are left out, which the progress tells.

import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Screen } from './screen.ts';

export function createLogger(screen: Screen): Logger {
  const pretty = prettyFactory({
    colorize: screen.isTerminal && process.stderr.hasColors(),
    ignore: 'pid,hostname,name,jobId,job,attempt,stream',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
  });
  const hooks = {
    logMethod(this: Logger, args: Parameters<Logger['info']>, method: Logger['info']) {
      const [facts] = args as unknown[];
      if (typeof facts === 'object' && facts !== null && 'state' in facts) return;
      method.apply(this, args);
    },
  };
  return pino({ hooks }, { write: (line) => screen.write(pretty(line)) });
}

export const noLogger: Logger = pino({ level: 'silent' });

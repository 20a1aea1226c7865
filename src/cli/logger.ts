// The logs of the command line, word for word what the library logs. That of a run is for people, on standard error, without
// the transitions of the job, which the progress tells. That of a worker is what it prints.

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

/** For people where `stream` is a terminal, else JSON, an object a line. */
export function createServiceLogger(stream: NodeJS.WriteStream): Logger {
  const pretty = stream.isTTY
    ? prettyFactory({
        colorize: stream.hasColors(),
        ignore: 'pid,hostname,name,jobId',
        translateTime: 'SYS:HH:MM:ss',
        singleLine: true,
      })
    : (line: string) => line;
  // By the stream itself, which outlives a reader that has gone.
  return pino({ name: 'unstuck' }, { write: (line) => stream.write(pretty(line)) });
}

export const noLogger: Logger = pino({ level: 'silent' });

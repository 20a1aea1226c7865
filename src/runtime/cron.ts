// When a schedule ticks, by croner: expressions of five parts or six (seconds first), in a time zone. Its timers are
// not used. Over a change of the clocks a fixed time (one second, minute and hour) comes once, others as the wall shows.

import { Cron } from 'croner';
import { ConfigurationError, describeValue } from './errors.ts';

function cronOf(expression: string, timeZone: string): Cron {
  return new Cron(expression, { timezone: timeZone, paused: true, mode: '5-or-6-parts' });
}

/** The first tick after a wall time, ms. */
export function tickAfter(expression: string, timeZone: string, after: number): number {
  const next = cronOf(expression, timeZone).nextRun(new Date(after));
  if (next === null)
    throw new RangeError(`the cron expression ${describeValue(expression)} does not come again`);
  return next.getTime();
}

/** Throws ConfigurationError where it cannot be read, or does not come again and again from this wall time on. */
export function checkCron(expression: unknown, timeZone: unknown, from: number): void {
  if (typeof timeZone !== 'string' || !isTimeZone(timeZone))
    throw new ConfigurationError('timeZone', "a time zone such as 'Europe/Berlin'", describeValue(timeZone));
  const refuse = (advice: string) => {
    const expected = "a cron expression such as '0 3 * * *' (each day at 3:00)";
    return new ConfigurationError('cron', expected, describeValue(expression), advice);
  };
  if (typeof expression !== 'string') throw refuse('');
  let ticks: Date[];
  try {
    ticks = cronOf(expression, timeZone).nextRuns(2, new Date(from));
  } catch (error) {
    throw refuse(`${(error as Error).message.replace(/\.?$/, '.')}`);
  }
  if (ticks.length === 0) throw refuse('It never comes.');
  if (ticks.length === 1) throw refuse('It comes only once: submit a job with startAfter.');
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

// Durations as people type and read them. Every setting of the runtime is in seconds, and so is a bare number here.

import { InvalidArgumentError } from 'commander';
import { durationForms, secondsOf } from '../runtime/durations.ts';

/** As `secondsOf`. Throws at 0 and at anything else. */
export function parseDuration(text: string): number {
  const seconds = secondsOf(text);
  if (seconds !== null) return seconds;
  throw new InvalidArgumentError(`Expected ${durationForms}.`);
}

/** As short as it stays true: `0.42 s`, `12.3 s`, `5 min 7 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${trim(seconds, 2)} s`;
  if (seconds < 59.95) return `${trim(seconds, 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return parts(Math.floor(whole / 60), 'min', whole % 60, 's');
  const minutes = Math.round(whole / 60);
  if (minutes < 24 * 60) return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function parts(most: number, unit: string, rest: number, smaller: string): string {
  return rest === 0 ? `${most} ${unit}` : `${most} ${unit} ${rest} ${smaller}`;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

// Durations as a test writes them: seconds, or a text with a unit.

import { durationForms, secondsOf } from '../runtime/durations.ts';
import { ConfigurationError, describeValue } from '../runtime/errors.ts';

/** Seconds, or with a unit: `90`, `'90s'`, `'500ms'`, `'10m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Seconds. Throws ConfigurationError, which names the field. */
export function toSeconds(field: string, duration: unknown): number {
  const seconds =
    typeof duration === 'string'
      ? secondsOf(duration)
      : typeof duration === 'number' && duration > 0 && duration < Infinity
        ? duration
        : null;
  if (seconds === null) throw new ConfigurationError(field, durationForms, describeValue(duration));
  return seconds;
}

// Durations as people write them, in seconds, as every setting of the runtime is. Who reads them says what is wrong with
// one that is none.

const secondsIn = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const;
type Unit = keyof typeof secondsIn;

/** What `secondsOf` takes, in words for an error. */
export const durationForms =
  'a duration above 0: seconds as a bare number, or with a unit such as 500ms, 90s, 10m, 2h, 1d';

/** `90`, `90s`, `500ms`, `10m`, `2h`, `1d`, `1.5h` as seconds; null for 0 and for anything else. */
export function secondsOf(text: string): number | null {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  const seconds = Number(amount) * secondsIn[unit as Unit];
  return seconds > 0 && seconds < Infinity ? seconds : null;
}

// How far two values may lie apart, from what was written: `0.01`, `0.1%`, `2 days`.

export type Limit =
  | { readonly kind: 'absolute'; readonly amount: string }
  /** Of the larger of the two, in units of 10⁻⁸ of it: `0.1%` is 100 000. */
  | { readonly kind: 'relative'; readonly parts: number }
  | { readonly kind: 'window'; readonly seconds: number };

const secondsOf: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Null for what is none of them, such as the number 1e-7, which no longer says how it was meant in decimal. */
export function parseLimit(given: number | string): Limit | null {
  const text = String(given);
  if (/^\d{1,19}(\.\d{1,18})?$/.test(text)) return { kind: 'absolute', amount: text };
  const percent = /^(\d{1,3})(?:\.(\d{1,6}))?%$/.exec(text);
  if (percent !== null) {
    return { kind: 'relative', parts: Number(`${percent[1]}${(percent[2] ?? '').padEnd(6, '0')}`) };
  }
  const time = /^(\d{1,9}) ?([smhdw])/.exec(text);
  return time === null ? null : { kind: 'window', seconds: Number(time[1]) * secondsOf[time[2]!]! };
}

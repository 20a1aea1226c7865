// What every benchmark of the project is: it measures, answers with rows and with the bars it is held to.

export interface Bar {
  what: string;
  value: number;
  limit: number;
  holds: boolean;
}

export interface Report {
  rows: Record<string, string | number>[];
  bars: Bar[];
}

export interface Benchmark {
  /** One sentence for the list of benchmarks. */
  about: string;
  run(options: { quick: boolean; progress: (line: string) => void }): Promise<Report>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A figure that must not be above its limit. */
export function atMost(what: string, value: number, limit: number): Bar {
  return { what, value, limit, holds: value <= limit };
}

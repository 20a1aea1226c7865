// A reader of the real SDK, and what it has read, in words that a test can compare.

import type { Attributes } from '@opentelemetry/api';
import { DataPointType, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';

class Reader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

export interface Point {
  readonly attributes: Attributes;
  /** Of a histogram: its count. */
  readonly value: number;
  readonly sum?: number;
  readonly boundaries?: readonly number[];
}

export interface Reading {
  readonly name: string;
  readonly unit: string;
  readonly about: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly points: readonly Point[];
}

export class Readings {
  readonly #reader = new Reader();
  readonly provider = new MeterProvider({ readers: [this.#reader] });

  async read(): Promise<ReadonlyMap<string, Reading>> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    const found = resourceMetrics.scopeMetrics
      .filter(({ scope }) => scope.name === 'unstuck')
      .flatMap(({ metrics }) => metrics)
      .map(({ descriptor, dataPointType, dataPoints }): Reading => {
        const type =
          dataPointType === DataPointType.HISTOGRAM
            ? 'histogram'
            : dataPointType === DataPointType.SUM
              ? 'counter'
              : 'gauge';
        const points = dataPoints.map(({ attributes, value }): Point => {
          if (typeof value === 'number') return { attributes, value };
          const { count, sum, buckets } = value as Histogram;
          return { attributes, value: count, sum, boundaries: buckets.boundaries };
        });
        return { name: descriptor.name, unit: descriptor.unit, about: descriptor.description, type, points };
      });
    return new Map(found.map((reading) => [reading.name, reading]));
  }
}

/** By the values of some attributes, in this order: what is not 0. */
export function valuesOf(reading: Reading | undefined, ...by: string[]): Record<string, number> {
  const values: Record<string, number> = {};
  for (const { attributes, value } of reading?.points ?? []) {
    if (value === 0) continue;
    const key = by.map((name) => attributes[name] ?? '-').join(' ');
    values[key] = (values[key] ?? 0) + value;
  }
  return values;
}

// Prometheus' text format, as a test reads it: strictly. A line that it does not allow is an error.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  /** By name of the metric: counter, gauge, histogram. */
  readonly types: ReadonlyMap<string, string>;
  readonly samples: readonly Sample[];
}

const comment = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][\w:]*) (.*)$/;
const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function parseExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, what, of, said] = comment.exec(line) ?? [];
    if (of !== undefined) {
      if (what === 'TYPE') types.set(of, said as string);
      continue;
    }
    const [, name, labels = '', value] = sample.exec(line) ?? [];
    if (name === undefined || !isNumber(value as string)) throw new Error(`not a sample: ${line}`);
    if (!types.has(metricOf(name, types))) throw new Error(`of no known type: ${line}`);
    samples.push({ name, labels: parseLabels(labels), value: numberOf(value as string) });
  }
  return { types, samples };
}

/** The metric of a histogram's series. */
function metricOf(name: string, types: ReadonlyMap<string, string>): string {
  const metric = name.replace(/_(bucket|sum|count)$/, '');
  return types.get(metric) === 'histogram' ? metric : name;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (label.lastIndex = 0; label.lastIndex < text.length; ) {
    const [, name, value] = label.exec(text) ?? [];
    if (name === undefined || value === undefined || name in labels) throw new Error(`not labels: {${text}}`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

function numberOf(text: string): number {
  return Number(text.replace(/^([+-]?)Inf$/, '$1Infinity'));
}

function isNumber(text: string): boolean {
  return text === 'NaN' || !Number.isNaN(numberOf(text));
}

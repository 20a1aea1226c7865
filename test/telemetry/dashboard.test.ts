// The dashboard, and the alerts of docs/metrics.md, ask only for what there is: each metric, label and value in its queries is one that a processor in which everything
// has happened really serves. The queries are read by Prometheus' own grammar.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../cli/commandLine.ts';
import { parseExposition, type Sample } from './exposition.ts';
import { Story } from './story.ts';

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}
interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly Target[] }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard: Dashboard = JSON.parse(readFileSync(join(root, 'examples/observing/grafana.json'), 'utf8'));
const targets = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map((target) => ({ title, ...target })),
);

const [, alerts = ''] =
  /## Alerts[\s\S]*?```\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/metrics.md'), 'utf8')) ?? [];
const queries = [
  ...targets,
  ...alerts
    .trim()
    .split('\n')
    .map((expr) => ({ title: 'docs/metrics.md', expr, legendFormat: '' })),
];

const story = new Story();
let samples: readonly Sample[];

beforeAll(async () => {
  const { url } = await story.processor.inspect({ metrics: true });
  await story.run();
  samples = parseExposition(await (await fetch(`${url}metrics`)).text()).samples;
});
afterAll(() => story[Symbol.asyncDispose]());

interface Query {
  readonly metrics: readonly string[];
  /** In matchers and groupings. */
  readonly labels: readonly string[];
  /** What is asked for by `=`. */
  readonly values: readonly { readonly label: string; readonly value: string }[];
  readonly grouped: readonly string[];
}

/** What Grafana puts in, and then what the query names. Throws where it is no PromQL. */
function parseQuery(text: string): Query {
  const query = text.replaceAll('$__rate_interval', '5m').replaceAll('$name', '.*');
  const metrics: string[] = [];
  const matched: { label: string; operator: string; value: string }[] = [];
  const grouped: string[] = [];
  const isIn = (node: { parent: { name: string } | null }, name: string) => node.parent?.name === name;
  parser.parse(query).iterate({
    enter({ node, type, from, to }) {
      const said = query.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${query}`);
      if (type.name === 'Identifier' && isIn(node, 'VectorSelector')) metrics.push(said);
      if (type.name === 'LabelName' && isIn(node, 'GroupingLabels')) grouped.push(said);
      if (type.name === 'UnquotedLabelMatcher') {
        const [, label = '', operator = '', value = ''] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(said) ?? [];
        matched.push({ label, operator, value });
      }
    },
  });
  return {
    metrics,
    grouped,
    labels: [...matched.map(({ label }) => label), ...grouped],
    values: matched.filter(({ operator }) => operator === '='),
  };
}

test('the grammar finds what is named, and refuses what is none', () => {
  expect(parseQuery('sum by (le, a) (rate(some_bucket{b="x", c=~"$name"}[$__rate_interval]))')).toEqual({
    metrics: ['some_bucket'],
    labels: ['b', 'c', 'le', 'a'],
    grouped: ['le', 'a'],
    values: [{ label: 'b', operator: '=', value: 'x' }],
  });
  expect(() => parseQuery('sum by (a (b)')).toThrow('no PromQL');
});

test('each query names metrics, labels and values that are served', () => {
  expect(targets.length).toBeGreaterThan(20);
  expect(queries.length).toBeGreaterThan(targets.length + 2);
  for (const { title, expr, legendFormat } of queries) {
    const { metrics, labels, values, grouped } = parseQuery(expr);
    expect({ title, metrics }).toEqual({ title, metrics: [expect.any(String)] });
    const served = samples.filter(({ name }) => name === metrics[0]);
    expect({ expr, isServed: served.length > 0 }).toEqual({ expr, isServed: true });
    const known = new Set(served.flatMap(({ labels: own }) => Object.keys(own)));
    for (const label of labels)
      expect({ expr, label, known: [...known] }).toMatchObject({ known: expect.arrayContaining([label]) });
    for (const { label, value } of values) {
      const has = served.some(({ labels: own }) => own[label] === value);
      expect({ expr, value, has }).toEqual({ expr, value, has: true });
    }
    // A legend tells what the query keeps.
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(grouped).toContain(label);
  }
});

test('every metric that is served is on it', () => {
  const shown = new Set(targets.flatMap(({ expr }) => parseQuery(expr).metrics).map(metricOf));
  const served = new Set(samples.map(({ name }) => metricOf(name)));
  expect([...served].filter((name) => !shown.has(name))).toEqual([]);
});

test('its variables are the data source and the names of jobs, which are served', () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'name']);
  const { definition = '' } = dashboard.templating.list[1] ?? {};
  const [, metric, label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
  const names = samples.filter(({ name }) => name === metric).map(({ labels }) => labels[label]);
  expect(new Set(names)).toContain('steady');
});

function metricOf(name: string): string {
  return name.replace(/_(bucket|count|sum)$/, '');
}

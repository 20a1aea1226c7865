// What docs/tracing.md shows is what runs: its files, against a collector that takes OTLP, and its lists of names.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root } from '../cli/commandLine.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const page = read('docs/tracing.md');

interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: { stringValue?: string } }[];
}

/** Takes spans as a collector does. */
async function collector(): Promise<{ url: string; spans: OtlpSpan[] }> {
  const spans: OtlpSpan[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const text of request.setEncoding('utf8')) body += text;
    expect(request.url).toBe('/v1/traces');
    for (const { scopeSpans } of JSON.parse(body).resourceSpans)
      for (const scope of scopeSpans) spans.push(...scope.spans);
    response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans };
}

test.each(['tracing.ts', 'report.ts', 'app.ts'])('the page shows the file %s as it is', (file) => {
  const shown = read(`examples/observing/${file}`).replace('../../src/index.ts', 'unstuck');
  expect(page).toContain(`\`\`\`ts\n${shown}\`\`\``);
});

test('the example sends the one trace that the page draws', async () => {
  const { url, spans } = await collector();
  const at = (file: string) => join(root, 'examples/observing', file);
  const app = spawn(process.execPath, ['--import', at('tracing.ts'), at('app.ts')], {
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void app.kill('SIGKILL'));
  let said = '';
  for await (const text of app.stdout.setEncoding('utf8')) said += text;
  expect(said).toContain("{ month: 'May', attempt: 2 }");

  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  const parentOf = ({ parentSpanId }: OtlpSpan) => spans.find(({ spanId }) => spanId === parentSpanId)?.name;
  expect(spans.map((span) => [span.name, parentOf(span)]).sort()).toEqual([
    ['add up', 'attempt report'],
    ['attempt report', 'submit report'],
    ['attempt report', 'submit report'],
    ['request', undefined],
    ['submit report', 'request'],
  ]);
  const errors = spans.flatMap(({ attributes }) => attributes.filter(({ key }) => key === 'error.type'));
  expect(errors).toEqual([{ key: 'error.type', value: { stringValue: 'heartbeatTimeout' } }]);
});

test('the page names every attribute that there is, and no other', () => {
  const sources = ['traces.ts', 'attemptSpan.ts']
    .map((file) => read(`src/runtime/telemetry/${file}`))
    .join('');
  const namesIn = (text: string) => new Set(text.match(/\b(unstuck|messaging)\.[a-z]+(\.[a-z_]+)*/g));
  const inSources = namesIn(sources);
  expect(inSources.size).toBeGreaterThan(10);
  expect(namesIn(page)).toEqual(inSources);
});

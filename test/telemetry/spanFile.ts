// A real SDK for tests: it is registered as an app does it, and its spans can be read, those of other processes from a
// file to which each appends.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  CompositePropagator,
  hrTimeToMilliseconds,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import {
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
  type TracerProviderOptions,
} from '@opentelemetry/sdk-trace';

export interface SpanRecord {
  name: string;
  kind: string;
  traceId: string;
  spanId: string;
  parent: string | null;
  /** Wall ms. */
  startedAt: number;
  endedAt: number;
  attributes: Record<string, unknown>;
  /** `ERROR: message` */
  status: string;
  events: { name: string; attributes: Record<string, unknown> }[];
  /** Span ids. */
  links: string[];
  pid: number;
}

export function recordOf(span: ReadableSpan): SpanRecord {
  const { traceId, spanId } = span.spanContext();
  const { code, message = '' } = span.status;
  return {
    name: span.name,
    kind: SpanKind[span.kind] as string,
    traceId,
    spanId,
    parent: span.parentSpanContext?.spanId ?? null,
    startedAt: hrTimeToMilliseconds(span.startTime),
    endedAt: hrTimeToMilliseconds(span.endTime),
    attributes: span.attributes,
    status: code === SpanStatusCode.UNSET ? 'UNSET' : `${SpanStatusCode[code]}: ${message}`,
    events: span.events.map(({ name, attributes = {} }) => ({ name, attributes })),
    links: span.links.map(({ context }) => context.spanId),
    pid: process.pid,
  };
}

export class FileExporter implements SpanExporter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    for (const span of spans) appendFileSync(this.#path, `${JSON.stringify(recordOf(span))}\n`);
    done({ code: 0 });
  }

  async shutdown(): Promise<void> {}
}

/** The spans that have ended, in the order of their starts. */
export function spansIn(path: string): SpanRecord[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line)).sort((a, b) => a.startedAt - b.startedAt);
}

/** Registered for the whole process, as an app does it. */
export function registerTracing(
  processor: SpanProcessor,
  options: TracerProviderOptions = {},
): TracerProvider {
  const provider = new TracerProvider({ ...options, spanProcessors: [processor] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  return provider;
}

export function unregisterTracing(): void {
  trace.disable();
  context.disable();
  propagation.disable();
}

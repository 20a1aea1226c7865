// The trace around a job's code: whatever is wrong with it, the code runs.

import { type Context, context, DiagLogLevel, diag, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { afterEach, expect, test } from 'vitest';
import { flushTelemetry, withinTrace } from '../../src/actors/attemptTrace.ts';

afterEach(() => {
  for (const api of [context, diag, metrics, propagation, trace]) api.disable();
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const carried = JSON.stringify({ traceparent: `00-${traceId}-b7ad6b7169203331-01` });
const traced = async () => trace.getSpanContext(context.active() as Context)?.traceId;

test('the code runs in the trace of its attempt', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  expect(await withinTrace(carried, traced)).toBe(traceId);
  expect(await withinTrace(null, traced)).toBeUndefined();
});

test('a trace that cannot be read is told, and the code runs without it', async () => {
  const told: unknown[] = [];
  const error = (...words: unknown[]) => told.push(words[0]);
  diag.setLogger({ error, warn() {}, info() {}, debug() {}, verbose() {} }, DiagLogLevel.ERROR);
  expect(await withinTrace('no JSON', traced)).toBeUndefined();
  expect(told).toEqual(['unstuck: the trace of an attempt could not be read']);
});

test.each([
  ['no trace', null],
  ['one that cannot be read', 'no JSON'],
])('with %s the code stays in the context that it is in', async (_, given) => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  expect(await withinTrace(carried, () => withinTrace(given, traced))).toBe(traceId);
});

test('providers of any make are flushed: behind a proxy, registered without one, and those that cannot be', async () => {
  const flushed: string[] = [];
  const provider = (name: string) => ({
    getTracer: () => expect.unreachable(),
    forceFlush: async () => void flushed.push(name),
  });
  trace.setGlobalTracerProvider(provider('behind a proxy'));
  // Of an attempt without a trace nothing is to be exported.
  await flushTelemetry(null);
  expect(flushed).toEqual([]);
  await flushTelemetry('{}');
  trace.disable();
  // As another copy of the API may do it.
  const registry = (globalThis as Record<symbol, { trace?: object } | undefined>)[
    Symbol.for('opentelemetry.js.api.1')
  ];
  Object.assign(registry ?? expect.unreachable(), { trace: provider('without one') });
  await flushTelemetry('{}');
  trace.disable();
  await flushTelemetry('{}');
  expect(flushed).toEqual(['behind a proxy', 'without one']);
});

test('one that fails to flush holds up nothing', async () => {
  const forceFlush = () => Promise.reject(new Error('no collector'));
  trace.setGlobalTracerProvider({ getTracer: () => expect.unreachable(), forceFlush } as never);
  await flushTelemetry('{}');
});

// A second of real time: the code takes Node's own timer, of which a job can have no other.
test('an exporter that does not answer is not waited for any longer than a second', async () => {
  const forceFlush = () => new Promise(() => {});
  trace.setGlobalTracerProvider({ getTracer: () => expect.unreachable(), forceFlush } as never);
  await flushTelemetry('{}');
});

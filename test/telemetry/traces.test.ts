// The spans of one processor, read by a real SDK: what they say of each way a job can go, and that none is left open.

import { type Context, context, propagation, type Span, TraceFlags, trace } from '@opentelemetry/api';
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import {
  ATTR_ERROR_TYPE,
  ATTR_MESSAGING_BATCH_MESSAGE_COUNT,
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_MESSAGE_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_MESSAGING_OPERATION_TYPE,
  ATTR_MESSAGING_SYSTEM_NAME,
  MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
  MESSAGING_OPERATION_TYPE_VALUE_SEND,
} from '@opentelemetry/semantic-conventions/incubating';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { ConfigurationError, defineJob, JobProcessor, type ProcessorOptions } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { recordOf, registerTracing, type SpanRecord, unregisterTracing } from './spanFile.ts';

/** Keeps what ended, and counts what did not. */
class Recorder implements SpanProcessor {
  readonly spans: SpanRecord[] = [];
  open = 0;
  onStart(_: Span, __: Context): void {
    this.open += 1;
  }
  onEnd(span: ReadableSpan): void {
    this.open -= 1;
    this.spans.push(recordOf(span));
  }
  named(name: string): SpanRecord[] {
    return this.spans.filter((span) => span.name === name);
  }
  one(name: string): SpanRecord {
    const found = this.named(name);
    expect(found).toHaveLength(1);
    return found[0] as SpanRecord;
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

const jobs = {
  /** Where its code is. */
  where: defineJob({
    run: (_: null) => {
      const span = trace.getActiveSpan()?.spanContext();
      return {
        traceId: span?.traceId ?? null,
        spanId: span?.spanId ?? null,
        flags: span?.traceFlags ?? null,
        tenant: propagation.getBaggage(context.active())?.getEntry('tenant')?.value ?? null,
      };
    },
  }),
  troubled: defineJob({
    retry: { maxAttempts: 2, backoff: { kind: 'fixed', seconds: 0 } },
    run: (_: null, { attempt, log }) => {
      log.info('about to');
      if (attempt === 1) throw Object.assign(new RangeError('as planned'), { code: 'E_PLANNED' });
    },
  }),
  listens: defineJob({
    run: (_: null, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
  deaf: defineJob({ run: (_: null) => deafEnds.promise }),
};

let recorder: Recorder;
let log: CapturedLog;
let engine: MemoryEngine;
let deafEnds: PromiseWithResolvers<void>;
let processors: JobProcessor<typeof jobs>[];

beforeEach(() => {
  recorder = new Recorder();
  registerTracing(recorder);
  log = capturedLog();
  engine = new MemoryEngine();
  deafEnds = Promise.withResolvers();
  processors = [];
});
afterEach(async () => {
  await Promise.all(processors.map((processor) => processor.stop()));
  unregisterTracing();
  expect(recorder.open).toBe(0);
});

function open(options: Partial<ProcessorOptions<typeof jobs>> = {}): JobProcessor<typeof jobs> {
  const processor = new JobProcessor({ engine, jobs, logger: log.logger, ...options });
  processors.push(processor);
  return processor;
}

/** The caller's own span. */
const within = <T>(act: (span: Span) => Promise<T>) =>
  trace.getTracer('app').startActiveSpan('request', async (span) => {
    try {
      return await act(span);
    } finally {
      span.end();
    }
  });

test('a submit is a child of the span that it is called in, and its attempts are children of the submit', async () => {
  const processor = await open().start();
  const job = await within(() => processor.submit('where', null));
  const code = await job.result();
  const request = recorder.one('request');
  const submit = recorder.one('submit where');
  const attempt = recorder.one('attempt where');
  expect([submit.parent, attempt.parent]).toEqual([request.spanId, submit.spanId]);
  expect(code).toMatchObject({ traceId: request.traceId, spanId: attempt.spanId, flags: TraceFlags.SAMPLED });
  expect(submit).toMatchObject({
    kind: 'PRODUCER',
    attributes: {
      [ATTR_MESSAGING_SYSTEM_NAME]: 'unstuck',
      [ATTR_MESSAGING_OPERATION_NAME]: 'submit',
      [ATTR_MESSAGING_OPERATION_TYPE]: MESSAGING_OPERATION_TYPE_VALUE_SEND,
      [ATTR_MESSAGING_DESTINATION_NAME]: 'where',
      [ATTR_MESSAGING_MESSAGE_ID]: job.id,
    },
  });
  expect(attempt).toMatchObject({
    kind: 'CONSUMER',
    status: 'UNSET',
    attributes: {
      [ATTR_MESSAGING_SYSTEM_NAME]: 'unstuck',
      [ATTR_MESSAGING_OPERATION_NAME]: 'attempt',
      [ATTR_MESSAGING_OPERATION_TYPE]: MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
      [ATTR_MESSAGING_DESTINATION_NAME]: 'where',
      [ATTR_MESSAGING_MESSAGE_ID]: job.id,
      'unstuck.isolation': 'inline',
      'unstuck.attempt.number': 1,
      'unstuck.job.state': 'completed',
    },
  });
});

test('an attempt that failed says with what, and what it led to; its log lines name its span', async () => {
  const processor = await open().start();
  await (await processor.submit('troubled', null)).result();
  const [first, second] = recorder.named('attempt troubled') as [SpanRecord, SpanRecord];
  expect(first.traceId).toBe(second.traceId);
  expect(first).toMatchObject({
    status: 'ERROR: as planned',
    attributes: { [ATTR_ERROR_TYPE]: 'E_PLANNED', 'unstuck.job.state': 'retrying' },
    events: [{ name: 'exception', attributes: { 'exception.message': 'as planned' } }],
  });
  expect(second).toMatchObject({ status: 'UNSET', attributes: { 'unstuck.attempt.number': 2 } });
  const lines = log.records.filter(({ job, attempt }) => job === 'troubled' && attempt !== undefined);
  expect(
    lines.map(({ msg, span_id, trace_id, trace_flags }) => [msg, span_id, trace_id, trace_flags]),
  ).toEqual(
    [first, second].flatMap(({ spanId, traceId, attributes }) => [
      [expect.stringContaining('running'), spanId, traceId, '01'],
      ['about to', spanId, traceId, '01'],
      [expect.stringContaining(String(attributes['unstuck.job.state'])), spanId, traceId, '01'],
    ]),
  );
});

test('many jobs are submitted in one span, which all their attempts belong to', async () => {
  const processor = await open().start();
  const many = await processor.submitMany('where', [null, null, null]);
  for (const job of many) await job.result();
  const submit = recorder.one('submit where');
  expect(submit.attributes[ATTR_MESSAGING_BATCH_MESSAGE_COUNT]).toBe(3);
  expect(submit.attributes).not.toHaveProperty([ATTR_MESSAGING_MESSAGE_ID]);
  expect(recorder.named('attempt where').map(({ parent }) => parent)).toEqual(Array(3).fill(submit.spanId));
  expect(await processor.submitMany('where', [])).toEqual([]);
});

test('each tick of a schedule is a trace of its own, whoever set it; who comes too late says so', async () => {
  const clock = new SimulatedClock();
  const processor = await open({ clock }).start();
  const store = engine.storeSchedule.bind(engine);
  let isBeaten = false;
  engine.storeSchedule = async (schedule, instead, submitted) => {
    if (submitted.length === 0 || isBeaten) return store(schedule, instead, submitted);
    isBeaten = true;
    return null;
  };
  await within(() => processor.schedule('often', { name: 'where', input: null, cron: '* * * * *' }));
  await clock.advance(125);
  const won = recorder
    .named('submit where')
    .filter(({ attributes }) => ATTR_MESSAGING_MESSAGE_ID in attributes);
  const lost = recorder.named('submit where').filter((span) => !won.includes(span));
  expect(won).toHaveLength(2);
  expect(lost).toHaveLength(1);
  for (const { attributes } of lost) expect(attributes['unstuck.schedule.ticked_elsewhere']).toBe(true);
  for (const { attributes, parent } of won)
    expect([attributes['unstuck.schedule.key'], parent]).toEqual(['often', null]);
  const attempts = recorder.named('attempt where');
  expect(new Set(attempts.map(({ parent }) => parent))).toEqual(new Set(won.map(({ spanId }) => spanId)));
  expect(new Set(attempts.map(({ traceId }) => traceId)).size).toBe(2);
});

test('a retry by hand is a submit of its own, with a link to that of the old job', async () => {
  const processor = await open().start();
  const old = await processor.submit('where', null);
  await old.result();
  const again = await within(() => processor.retry(old.id));
  await again.result();
  const [first, second] = recorder.named('submit where') as [SpanRecord, SpanRecord];
  expect(second).toMatchObject({
    parent: recorder.one('request').spanId,
    links: [first.spanId],
    attributes: { 'unstuck.job.retry_of': old.id, [ATTR_MESSAGING_MESSAGE_ID]: again.id },
  });
  expect(recorder.named('attempt where').map(({ parent }) => parent)).toEqual([first.spanId, second.spanId]);
});

test('a submit that finds its job there says so, and names it', async () => {
  const processor = open();
  const { id } = await processor.submit('where', null, { idempotencyKey: 'once' });
  await processor.submit('where', null, { idempotencyKey: 'once' });
  const [first, second] = recorder.named('submit where') as [SpanRecord, SpanRecord];
  expect(first.attributes).not.toHaveProperty(['unstuck.job.existing']);
  expect(second.attributes).toMatchObject({ 'unstuck.job.existing': true, [ATTR_MESSAGING_MESSAGE_ID]: id });
});

test('a submit that the engine does not store has failed', async () => {
  const processor = open();
  await processor.start();
  engine.submit = () => Promise.reject(Object.assign(new Error('disk full'), { code: 'ERR_UNSTUCK_ENGINE' }));
  await expect(processor.submit('where', null)).rejects.toThrow('disk full');
  expect(recorder.one('submit where')).toMatchObject({
    status: 'ERROR: disk full',
    attributes: { [ATTR_ERROR_TYPE]: 'ERR_UNSTUCK_ENGINE' },
  });
});

const withBaggage = <T>(value: string, act: () => Promise<T>) =>
  context.with(
    propagation.setBaggage(context.active(), propagation.createBaggage({ tenant: { value } })),
    act,
  );

test('baggage goes with the job into its code', async () => {
  const processor = await open().start();
  const job = await withBaggage('acme', () => processor.submit('where', null));
  expect(await job.result()).toMatchObject({ tenant: 'acme' });
});

test('of baggage that is too large for a row only the trace is kept', async () => {
  const processor = await open().start();
  const entries = Array.from({ length: 10 }, (_, n) => [`entry${n}`, { value: 'x'.repeat(500) }]);
  const huge = propagation.setBaggage(
    context.active(),
    propagation.createBaggage(Object.fromEntries(entries)),
  );
  const job = await context.with(huge, () => processor.submit('where', null));
  expect(await job.result()).toMatchObject({ traceId: recorder.one('submit where').traceId, tenant: null });
  const stored = await engine.get(job.id);
  expect(Object.keys(JSON.parse(stored?.trace as string))).toEqual(['traceparent']);
});

test('a value that no propagator can write does not keep a job from being submitted in its trace', async () => {
  const processor = await open().start();
  const job = await withBaggage('\ud800', () => processor.submit('where', null));
  expect(await job.result()).toMatchObject({ traceId: recorder.one('submit where').traceId, tenant: null });
});

test.each([
  'not JSON',
  'null',
  '[]',
  '{"traceparent":7}',
  '{"traceparent":"00-zz-zz-01","tracestate":"a=\\u0000,,=","baggage":"%%%=%"}',
  `{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"${'x'.repeat(1e6)}"}`,
])('a stored trace that makes no sense harms no job: %#', async (stored) => {
  const processor = open();
  const job = await processor.submit('where', null);
  const get = engine.claim.bind(engine);
  engine.claim = async (claim) => (await get(claim)).map((row) => ({ ...row, trace: stored }));
  await processor.start();
  const { traceId } = (await job.result()) as { traceId: string };
  const attempt = recorder.one('attempt where');
  expect(traceId).toBe(attempt.traceId);
  expect(attempt.parent).toBe(stored.includes('4bf92f') ? '00f067aa0ba902b7' : null);
});

test('a trace that is not sampled stays so: its attempts make no span, its code is told', async () => {
  const processor = await open().start();
  const caller = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 0 };
  const unsampled = trace.setSpanContext(context.active(), caller);
  const job = await context.with(unsampled, () => processor.submit('where', null));
  expect(await job.result()).toMatchObject({ traceId: caller.traceId, flags: TraceFlags.NONE });
  expect(recorder.spans).toEqual([]);
  expect(log.records.filter((record) => 'trace_id' in record)).toEqual([]);
});

test('with no SDK, or where telemetry is switched off, no trace is stored and none is in the code', async () => {
  const off = await open({ telemetry: false }).start();
  const jobOff = await within(() => off.submit('where', null));
  expect(await jobOff.result()).toMatchObject({ traceId: null });
  expect((await engine.get(jobOff.id))?.trace).toBeNull();
  expect(recorder.spans.map(({ name }) => name)).toEqual(['request']);
  await off.stop();

  unregisterTracing();
  engine = new MemoryEngine();
  const none = await open().start();
  const jobNone = await none.submit('where', null);
  expect(await jobNone.result()).toMatchObject({ traceId: null });
  expect((await engine.get(jobNone.id))?.trace).toBeNull();
  expect(log.records.filter((record) => 'trace_id' in record)).toEqual([]);
});

test('a provider of its own gets the spans of a processor', async () => {
  const own = new Recorder();
  const tracerProvider = new TracerProvider({ spanProcessors: [own] });
  const processor = await open({ telemetry: { tracerProvider } }).start();
  await (await processor.submit('where', null)).result();
  expect(own.spans.map(({ name }) => name)).toEqual(['submit where', 'attempt where']);
  expect([own.open, recorder.spans]).toEqual([0, []]);
});

test.each([
  [true, 'telemetry: expected an object with meterProvider and tracerProvider, or false, got true'],
  [null, 'telemetry: expected an object with meterProvider and tracerProvider, or false, got null'],
  [{ tracerProvider: {} }, 'telemetry.tracerProvider: expected a tracer provider of OpenTelemetry, got'],
  [{ meterProvider: 1 }, 'telemetry.meterProvider: expected a meter provider of OpenTelemetry, got 1'],
  [{ tracer: {} }, 'tracer'],
])('a bad telemetry option is refused: %j', (telemetry, message) => {
  expect(() => new JobProcessor({ engine, jobs, telemetry: telemetry as never })).toThrow(ConfigurationError);
  expect(() => new JobProcessor({ engine, jobs, telemetry: telemetry as never })).toThrow(message);
});

test('an attempt that is handed back has not failed', async () => {
  const processor = await open().start();
  const running = new Promise((resolve) => processor.once('running', resolve));
  await processor.submit('listens', null);
  await running;
  await processor.stop();
  const attempt = recorder.one('attempt listens');
  expect(attempt).toMatchObject({
    status: 'UNSET',
    attributes: {
      'unstuck.job.state': 'queued',
      'unstuck.reason': 'handed back',
      'unstuck.stop.confirmed': true,
    },
  });
  expect(attempt.attributes).not.toHaveProperty([ATTR_ERROR_TYPE]);
});

test('an attempt that is cancelled has not failed either', async () => {
  const processor = await open().start();
  const running = new Promise((resolve) => processor.once('running', resolve));
  const job = await processor.submit('listens', null);
  await running;
  await job.cancel('not needed');
  expect(recorder.one('attempt listens')).toMatchObject({
    status: 'UNSET',
    attributes: {
      'unstuck.job.state': 'cancelled',
      'unstuck.reason': 'not needed',
      'unstuck.stop.rung': 'grace',
    },
  });
});

test('an attempt that lost its lease says that it was superseded', async () => {
  const processor = await open().start();
  const running = new Promise((resolve) => processor.once('running', resolve));
  const superseded = new Promise((resolve) => processor.once('superseded', resolve));
  const job = await processor.submit('listens', null);
  await running;
  const { token } = (await engine.get(job.id)) as { token: string };
  const adopted = await engine.adopt(job.id, token, 'another', 60_000);
  await superseded;
  expect(recorder.one('attempt listens')).toMatchObject({
    status: expect.stringContaining('ERROR: its lease is gone'),
    attributes: { [ATTR_ERROR_TYPE]: 'superseded' },
  });
  await engine.settle(job.id, adopted, {
    ...{ state: 'cancelled', timeout: null, reason: null, failure: null, result: null, stop: null },
    ...{ notBefore: null, crashed: false, neverBegan: false },
  });
});

test('of an attempt that could not be proven stopped the span says so, and ends with what is stored', async () => {
  const clock = new SimulatedClock();
  const processor = await open({ clock }).start();
  const job = await processor.submit('deaf', null, { jobTimeoutSeconds: 10, graceSeconds: 1 });
  await clock.advance(20);
  expect((await job.status()).state).toBe('timedOut');
  expect(recorder.one('attempt deaf')).toMatchObject({
    status: 'ERROR: job timeout',
    attributes: {
      [ATTR_ERROR_TYPE]: 'jobTimeout',
      'unstuck.stop.confirmed': false,
      'unstuck.job.state': 'timedOut',
    },
  });
  expect(recorder.one('attempt deaf').events.map(({ name }) => name)).toEqual([
    'timeout.found',
    'stop.rung',
    'stop.rung',
    'stop.unconfirmed',
  ]);
  // Its end, much later, changes nothing of a span that has ended.
  deafEnds.resolve();
  await clock.advance(1);
  expect(recorder.named('attempt deaf')).toHaveLength(1);
});

test('one that still waits for its proof when the processor is stopped says that its end is not known', async () => {
  const clock = new SimulatedClock();
  const processor = await open({ clock }).start();
  const retry = { maxAttempts: 2, on: ['timedOut' as const] };
  await processor.submit('deaf', null, { jobTimeoutSeconds: 10, graceSeconds: 1, retry });
  await clock.advance(20);
  expect(recorder.named('attempt deaf')).toEqual([]);
  const stopped = processor.stop();
  await clock.advance(30);
  await stopped;
  expect(recorder.one('attempt deaf')).toMatchObject({
    status: expect.stringContaining('ERROR: the processor was stopped'),
    attributes: { [ATTR_ERROR_TYPE]: 'notStored' },
  });
});

test('an SDK that throws fails no job', async () => {
  unregisterTracing();
  const broken = new Recorder();
  broken.onStart = () => {
    throw new Error('the SDK is broken');
  };
  registerTracing(broken);
  const processor = await open().start();
  expect(await (await processor.submit('where', null)).result()).toMatchObject({ traceId: null });
  await processor.stop();
  unregisterTracing();
  const late = new Recorder();
  late.onEnd = () => {
    throw new Error('the SDK is broken');
  };
  registerTracing(late);
  engine = new MemoryEngine();
  const other = await open().start();
  expect(await (await other.submit('where', null)).result()).toMatchObject({
    traceId: expect.any(String),
  });
});

// The spans that this processor makes: one for each submit, whose context is stored with its jobs, and one for each
// attempt, as its child. Names follow OpenTelemetry's conventions for messaging. What an SDK throws is told to its own
// `diag`, and never fails what it was to tell of. Loaded when an engine is opened: children import the library too.

import {
  type Attributes,
  type Context,
  context,
  diag,
  INVALID_SPAN_CONTEXT,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Isolation } from '../../actors/attempt.ts';
import type { NewJob, StoredJob } from '../../engines/engine.ts';
import type { TelemetryOptions } from '../processorOptions.ts';
import { AttemptSpan, failed, settledAs } from './attemptSpan.ts';

/** Of what the propagator writes, characters. Where it is more, all but the trace itself is left out: it is stored with each job. */
const longestTrace = 4096;

export interface Submission {
  readonly name: string;
  /** Many at once, in one span. */
  readonly isBatch?: boolean;
  /** The job that is submitted again. */
  readonly retried?: StoredJob;
  /** The key of the schedule whose tick this is: it has no caller, and is a trace of its own. */
  readonly schedule?: string;
}

export class Traces {
  /** Null: told to make none. */
  readonly #tracer: Tracer | null;

  constructor(telemetry: TelemetryOptions | false) {
    this.#tracer =
      telemetry === false
        ? null
        : (telemetry.tracerProvider ?? trace.getTracerProvider()).getTracer('unstuck');
  }

  /** Has the jobs stored within a span whose context they carry. `null` of `store`: another had stored them before. */
  async submit<Stored extends readonly StoredJob[] | null>(
    { name, isBatch = false, retried, schedule }: Submission,
    jobs: readonly NewJob[],
    store: (jobs: readonly NewJob[]) => Promise<Stored>,
  ): Promise<Stored> {
    const parent = schedule === undefined ? context.active() : ROOT_CONTEXT;
    const attributes = {
      ...messaging('submit', 'send', name),
      ...(isBatch ? { 'messaging.batch.message_count': jobs.length } : {}),
      ...(retried === undefined ? {} : { 'unstuck.job.retry_of': retried.id }),
      ...(schedule === undefined ? {} : { 'unstuck.schedule.key': schedule }),
    };
    const begun = this.#begin(`submit ${name}`, SpanKind.PRODUCER, attributes, parent, linkTo(retried));
    if (begun === null) return store(jobs);
    const { span, within, carrier } = begun;
    try {
      const carrying = carrier === null ? jobs : jobs.map((job) => ({ ...job, trace: carrier }));
      const stored = await context.with(within, () => store(carrying));
      quietly(() => span.setAttributes(submitted(jobs, stored, isBatch)));
      return stored;
    } catch (error) {
      quietly(() => failed(span, error as Error));
      throw error;
    } finally {
      quietly(() => span.end());
    }
  }

  /** An attempt begins. */
  attempt(job: StoredJob, isolation: Isolation): AttemptSpan {
    const attributes = { ...ofAttempt(job), 'unstuck.isolation': isolation };
    const begun = this.#begin(`attempt ${job.name}`, SpanKind.CONSUMER, attributes, contextOf(job));
    return begun === null
      ? new AttemptSpan(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), null)
      : new AttemptSpan(begun.span, begun.carrier);
  }

  /** An attempt whose host is gone, and its span with it: told by who took the job over, from its start to the proof of its end. */
  recovered(job: StoredJob, settled: StoredJob): void {
    quietly(() => {
      const attributes = { ...ofAttempt(job), 'unstuck.recovered': true };
      const span = this.#tracer?.startSpan(
        `attempt ${job.name}`,
        { kind: SpanKind.CONSUMER, attributes, startTime: job.startedAt ?? undefined },
        contextOf(job),
      );
      if (span === undefined) return;
      settledAs(span, settled);
      failed(span, { code: 'ownerLost', message: 'its owner is gone' });
      span.end();
    });
  }

  #begin(
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    parent: Context,
    links: Link[] = [],
  ): { span: Span; within: Context; carrier: string | null } | null {
    const tracer = this.#tracer;
    if (tracer === null) return null;
    return quietly(() => {
      const span = tracer.startSpan(name, { kind, attributes, links }, parent);
      const within = trace.setSpan(parent, span);
      return { span, within, carrier: carrierOf(within) };
    });
  }
}

function messaging(operation: string, type: string, name: string): Attributes {
  return {
    'messaging.system.name': 'unstuck',
    'messaging.operation.name': operation,
    'messaging.operation.type': type,
    'messaging.destination.name': name,
  };
}

function ofAttempt({ id, name, attempt }: StoredJob): Attributes {
  return {
    ...messaging('attempt', 'process', name),
    'messaging.message.id': id,
    'unstuck.attempt.number': attempt,
  };
}

function submitted(
  jobs: readonly NewJob[],
  stored: readonly StoredJob[] | null,
  isBatch: boolean,
): Attributes {
  if (stored === null) return { 'unstuck.schedule.ticked_elsewhere': true };
  const [first] = stored;
  if (isBatch || first === undefined) return {};
  // One that had the idempotency key before: its attempts are in its own trace.
  const isOlder = first.id !== jobs[0]?.id;
  return { 'messaging.message.id': first.id, ...(isOlder ? { 'unstuck.job.existing': true } : {}) };
}

/** Null where there is nothing to carry: no propagator, or no span and no baggage. */
function carrierOf(within: Context): string | null {
  const carrier: Record<string, string> = {};
  propagation.inject(within, carrier);
  const { traceparent } = carrier;
  if (Object.keys(carrier).length === 0) return null;
  const text = JSON.stringify(carrier);
  if (text.length <= longestTrace) return text;
  return traceparent === undefined ? null : JSON.stringify({ traceparent });
}

function contextOf({ trace }: StoredJob): Context {
  if (trace === null) return ROOT_CONTEXT;
  return quietly(() => propagation.extract(ROOT_CONTEXT, JSON.parse(trace))) ?? ROOT_CONTEXT;
}

function linkTo(job: StoredJob | undefined): Link[] {
  const linked = job === undefined ? undefined : trace.getSpanContext(contextOf(job));
  return linked === undefined ? [] : [{ context: linked }];
}

/** Null: it threw. */
function quietly<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    diag.error('unstuck: a span could not be made', error);
    return null;
  }
}

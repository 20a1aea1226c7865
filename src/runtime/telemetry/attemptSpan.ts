// The span of one attempt: from its start to the proof of its end, with the rungs of the stop ladder as events. It says
// what the attempt led to, so it ends when that is stored; its end time is that of the proof.

import { diag, type Span, SpanStatusCode } from '@opentelemetry/api';
import type { StoredJob } from '../../engines/engine.ts';
import type { JobEmitted } from '../../machines/jobMessages.ts';
import type { Rung, StopRecord } from '../../machines/ladder.ts';

/** How an attempt ended whose verdict was not stored here. */
const unsettled = {
  superseded: 'its lease is gone: the job went on elsewhere',
  chartBroken: 'its chart broke',
  notStored: 'the processor was stopped before it was known, or stored, how it ended',
};

export class AttemptSpan {
  readonly #span: Span;
  /** For the code of the attempt to run in; null: no trace. */
  readonly carrier: string | null;
  readonly #startedAt = Date.now();
  readonly #start = performance.now();
  #overAt: number | undefined;
  #rung: Rung | null = null;
  #isOpen: boolean;

  constructor(span: Span, carrier: string | null) {
    this.#span = span;
    this.carrier = carrier;
    this.#isOpen = span.isRecording();
  }

  /** What lines of the log say of it, by the names of OpenTelemetry's data model. */
  get logFields(): Record<string, string> {
    if (!this.#isOpen) return {};
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return { trace_id: traceId, span_id: spanId, trace_flags: traceFlags.toString(16).padStart(2, '0') };
  }

  /** As far as the ladder was climbed. */
  climbed(stop: StopRecord | null): void {
    if (stop === null || stop.rung === this.#rung) return;
    this.#rung = stop.rung;
    this.#tell((span) => span.addEvent('stop.rung', { 'unstuck.stop.rung': stop.rung }));
  }

  emitted(event: JobEmitted): void {
    this.#tell((span) => {
      if (event.type === 'timeout.found')
        span.addEvent(event.type, {
          'unstuck.timeout.kind': event.kind,
          'unstuck.timeout.found_by': event.by,
        });
      else span.addEvent(event.type, ofStop(event.stop));
    });
  }

  /** Nothing of the attempt runs any more. */
  over(): void {
    // Not the wall clock's time: that may have been set since.
    this.#overAt ??= this.#startedAt + performance.now() - this.#start;
  }

  settled(job: StoredJob): void {
    this.#end((span) => settledAs(span, job));
  }

  /** Nothing where it has ended. */
  unsettled(how: keyof typeof unsettled): void {
    this.#end((span) => failed(span, { code: how, message: unsettled[how] }));
  }

  /** It could not even begin. */
  failed(error: unknown): void {
    this.#end((span) => failed(span, error as Error));
  }

  #end(tell: (span: Span) => void): void {
    this.#tell((span) => {
      this.#isOpen = false;
      tell(span);
      span.end(this.#overAt);
    });
  }

  #tell(act: (span: Span) => void): void {
    if (!this.#isOpen) return;
    try {
      act(this.#span);
    } catch (error) {
      diag.error('unstuck: the span of an attempt could not be told', error);
    }
  }
}

/** What the attempt led to. */
export function settledAs(span: Span, { state, timeout, stop, failure, reason }: StoredJob): void {
  span.setAttributes({
    'unstuck.job.state': state,
    ...(timeout === null ? {} : { 'unstuck.timeout.kind': timeout }),
    ...(stop === null ? {} : ofStop(stop)),
    ...(reason === null ? {} : { 'unstuck.reason': reason }),
  });
  if (state === 'completed' || state === 'cancelled' || state === 'queued') return;
  if (timeout !== null) failed(span, { code: `${timeout}Timeout`, message: reason ?? `${timeout} timeout` });
  else if (failure !== null) failed(span, failure);
}

/** Of errors, those stored and those thrown. */
export function failed(
  span: Span,
  error: { code?: unknown; name?: string; message: string; stack?: string },
): void {
  const type = typeof error?.code === 'string' ? error.code : (error?.name ?? 'Error');
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message: String(error?.message) });
  if (error?.stack !== undefined) span.recordException(error as Error);
}

function ofStop({ confirmed, rung, tookSeconds }: StopRecord) {
  return {
    'unstuck.stop.confirmed': confirmed,
    'unstuck.stop.rung': rung,
    ...(tookSeconds === null ? {} : { 'unstuck.stop.took_seconds': tookSeconds }),
  };
}

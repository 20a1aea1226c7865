// A job whose code makes a span of its own, then returns or hangs. Isolated; the rest is its caller's.

import { context, propagation, trace } from '@opentelemetry/api';
import { defineJob } from '../../src/index.ts';

export interface TracedInput {
  /** Blocks its thread in this attempt. */
  hangsIn?: number;
  throws?: boolean;
}

export async function traced({ hangsIn, throws }: TracedInput, attempt: number) {
  return trace.getTracer('app').startActiveSpan('work', async (span) => {
    await null;
    const { traceId } = span.spanContext();
    const baggage = propagation.getBaggage(context.active())?.getEntry('tenant')?.value ?? null;
    span.setAttribute('attempt', attempt).end();
    if (throws) throw new RangeError('as planned');
    if (attempt === hangsIn) while (true) {}
    return { attempt, traceId, baggage };
  });
}

export default defineJob({
  module: import.meta.url,
  run: (input: TracedInput, { attempt }) => traced(input, attempt),
});

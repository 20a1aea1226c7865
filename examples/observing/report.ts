// report.ts: the job, with a span of its own
import { trace } from '@opentelemetry/api';
import { defineJob } from '../../src/index.ts';

export default defineJob({
  module: import.meta.url,
  heartbeatTimeoutSeconds: 3,
  retry: { maxAttempts: 2, backoff: { kind: 'fixed', seconds: 0.5 } },
  run({ month }: { month: string }, { attempt }) {
    // The first time it hangs.
    while (attempt === 1) {}
    return trace.getTracer('reports').startActiveSpan('add up', (span) => {
      span.setAttribute('month', month).end();
      return { month, attempt };
    });
  },
});

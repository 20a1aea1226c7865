// The built-in job that delivers one notification to one target, in a process of its own: a target that hangs, or whose name
// never resolves, costs that process alone. Any answer but 2xx is a failure, to be tried again.

import type { JobContext, OwnContext } from '../../actors/jobCode.ts';
import { defineJob } from '../definitions.ts';
import { NonRetryableError } from '../errors.ts';
import type { Notification } from './notification.ts';
import { signatureHeaders } from './signature.ts';

/** What is not stored with the job: the host gives it to each attempt. */
export interface Destination {
  readonly target: string;
  readonly url: string;
  readonly secrets: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly answerSeconds: number;
}

const threeDays = 3 * 86_400;

export default defineJob({
  module: import.meta.url,
  // One process for all that goes to a target, as long as it has work.
  reuse: true,
  // One at a time to a target, and in order what is about one job.
  limits: { concurrency: 1, concurrencyPerKey: 1, inOrder: true },
  jobTimeoutSeconds: 120,
  heartbeatTimeoutSeconds: 60,
  queueTimeoutSeconds: Number.POSITIVE_INFINITY,
  deadlineSeconds: threeDays,
  memoryLimitMb: Number.POSITIVE_INFINITY,
  graceSeconds: 1,
  retry: {
    // Its deadline ends it before.
    maxAttempts: 1000,
    on: ['failed', 'timedOut'],
    backoff: { kind: 'exponential', seconds: 5, maxSeconds: 3600, jitter: 0.5 },
  },
  run: (notification: Notification, context) => deliver(notification, context),
});

async function deliver(notification: Notification, context: JobContext): Promise<number> {
  const { jobId, signal, given } = context as OwnContext;
  const { target, url, secrets, headers, answerSeconds } = given as Destination;
  const body = JSON.stringify(notification);
  const timeout = AbortSignal.timeout(answerSeconds * 1000);
  const response = await fetch(url, {
    method: 'POST',
    body,
    headers: {
      ...headers,
      'content-type': 'application/json',
      // The same at each attempt: by it a receiver knows what it has had.
      ...signatureHeaders({ id: jobId, at: Date.now(), body }, secrets),
    },
    redirect: 'manual',
    signal: AbortSignal.any([signal, timeout]),
  }).catch((error: Error) => {
    signal.throwIfAborted();
    const why = timeout.aborted ? `no answer within ${answerSeconds} s` : causeOf(error);
    throw new Error(`${target}: expected an answer of 2xx, got ${why}`);
  });
  await response.body?.cancel();
  const { status } = response;
  if (status >= 200 && status < 300) return status;
  if (status === 410) throw new NonRetryableError(`${target}: answered 410, it wants no more of these`);
  throw new Error(`${target}: expected an answer of 2xx, got ${status || 'a redirect'}`);
}

/** fetch says only that it failed. */
function causeOf(error: Error): string {
  const { code, message } = Object(error.cause ?? error) as { code?: unknown; message?: unknown };
  return String(code ?? message);
}

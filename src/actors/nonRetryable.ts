// The error by which a job says that another attempt is pointless. It is known by what it says and not by its class:
// what a job throws may come from another copy of this package, another thread, or no class at all.

/** Thrown by a job's code: the job fails at once, whatever attempts are left. */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError';
  readonly code: string = 'ERR_UNSTUCK_NON_RETRYABLE';
  readonly retryable = false;
}

export function isRetryable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return true;
  const { retryable, code } = error as { retryable?: unknown; code?: unknown };
  return retryable !== false && code !== 'ERR_UNSTUCK_NON_RETRYABLE';
}

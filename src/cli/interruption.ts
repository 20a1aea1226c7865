// Ctrl-C and the other requests to leave. The first one asks: what runs is stopped cleanly. The second leaves at
// once. The exit code tells which signal it was, as shells expect.

import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm and npx pass a terminal's Ctrl-C on to a child that got it already: one press, two signals. */
const samePressMs = 400;

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Resolves with it, and keeps the process until then. */
  untilAsked(): Promise<void>;
  /** What the process should end with, once interrupted. */
  readonly exitCode: number | null;
}

export function listenForInterruption(): Interruption {
  const aborter = new AbortController();
  let exitCode: number | null = null;
  let pressedAt = 0;
  for (const name of signals) {
    process.on(name, () => {
      const now = performance.now();
      if (exitCode !== null && now - pressedAt >= samePressMs) process.exit(128 + constants.signals[name]);
      if (exitCode !== null) return;
      pressedAt = now;
      exitCode = 128 + constants.signals[name];
      aborter.abort();
    });
  }
  return {
    signal: aborter.signal,
    async untilAsked() {
      const { signal } = aborter;
      if (signal.aborted) return;
      const alive = setInterval(() => {}, 2 ** 30);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      clearInterval(alive);
    },
    get exitCode() {
      return exitCode;
    },
  };
}

// The rungs of the stop ladder: how long each waits, and what is recorded of the climb.

export type Rung = 'ask' | 'grace' | 'terminate' | 'kill';

/** What was proven about the end of an attempt that had to be stopped. */
export interface StopRecord {
  /** True: no code of the attempt runs any more. False: it could not be ended, or not be proven. */
  confirmed: boolean;
  /** The last rung that was needed. */
  rung: Rung;
  /** From the first rung to the proof; null while unconfirmed. */
  tookSeconds: number | null;
  exitCode?: number;
  signal?: string;
}

/** A living event loop answers the signal well within this; a silent one gets no grace. */
const askMs = 1000;
const terminateMs = 1000;
const proofMs = 5000;

/** How long each rung waits before the next, in ms. A grace of 0 goes straight to the kill. */
export function ladderDelays(graceMs: number): Record<Rung, number> {
  return {
    ask: Math.min(askMs, graceMs),
    grace: graceMs,
    terminate: Math.min(terminateMs, graceMs),
    kill: proofMs,
  };
}

/** The sum of the ladder's delays, in ms: an attempt has ended by its timeout plus this, or is unconfirmed. */
export function stopBudgetMs(graceMs: number): number {
  const { ask, grace, terminate, kill } = ladderDelays(graceMs);
  return ask + grace + terminate + kill;
}

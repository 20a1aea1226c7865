// Renews the leases of all live attempts of a processor, one call a round, and brings back what was asked of
// them from elsewhere; now and then it looks for jobs whose owner is gone. A round that fails is followed by the
// next: the lease outlasts several.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';
import type { Beat, BeatReply, Engine } from '../engines/engine.ts';

export interface LeaseKeeperHost {
  /** A beat for each live attempt. */
  beats(): Beat[];
  replied(reply: BeatReply): void;
  /** The engine answered a round, or did not. */
  answered(): void;
  failed(error: unknown): void;
  /** Takes back the jobs of owners that are gone. */
  recover(): Promise<void>;
}

/** What was asked of a live attempt is not left to wait for the next round. */
export type LeaseKeeperEvent = { type: 'beat.now' };

export function createLeaseKeeper(
  engine: Engine,
  clock: Clock,
  { intervalMs, leaseMs }: { intervalMs: number; leaseMs: number },
  host: LeaseKeeperHost,
) {
  const roundsPerRecovery = Math.max(1, Math.round(leaseMs / 3 / intervalMs));
  return fromCallback<LeaseKeeperEvent>(({ receive }) => {
    let timer: unknown;
    let isOver = false;
    let rounds = 0;
    const beat = async () => {
      const beats = host.beats();
      if (beats.length === 0) return;
      for (const reply of await engine.beat(beats, leaseMs)) host.replied(reply);
      host.answered();
    };
    // Not waited for: what it takes to end another's attempt must not cost our own leases.
    let isRecovering = false;
    const recover = async () => {
      if (isRecovering) return;
      isRecovering = true;
      await host.recover().catch(host.failed);
      isRecovering = false;
    };
    const round = async () => {
      try {
        await beat();
        rounds += 1;
        if (rounds % roundsPerRecovery === 0) recover();
      } catch (error) {
        host.failed(error);
      }
      if (!isOver) timer = clock.setTimeout(round, intervalMs);
    };
    receive(() => void beat().catch(host.failed));
    timer = clock.setTimeout(round, intervalMs);
    return () => {
      isOver = true;
      clock.clearTimeout(timer);
    };
  });
}

// Renews the leases of all live attempts of a processor, one call a round, and brings back what was asked of
// them from elsewhere. A round that fails is followed by the next: the lease outlasts several.

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
}

export function createLeaseKeeper(
  engine: Engine,
  clock: Clock,
  { intervalMs, leaseMs }: { intervalMs: number; leaseMs: number },
  host: LeaseKeeperHost,
) {
  return fromCallback(() => {
    let timer: unknown;
    let isOver = false;
    const round = async () => {
      try {
        const beats = host.beats();
        if (beats.length > 0) {
          for (const reply of await engine.beat(beats, leaseMs)) host.replied(reply);
          host.answered();
        }
      } catch (error) {
        host.failed(error);
      }
      if (!isOver) timer = clock.setTimeout(round, intervalMs);
    };
    timer = clock.setTimeout(round, intervalMs);
    return () => {
      isOver = true;
      clock.clearTimeout(timer);
    };
  });
}

// Renews the leases of all live attempts of a processor, one call a round, and brings back what was asked of
// them from elsewhere; after each round it looks for jobs whose owner is gone. A round that fails is followed by the
// next: the lease outlasts several. Where an attempt must end before its lease does, it is looked at beside the rounds: the
// engine may not answer at all.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';
import type { Beat, BeatReply, Engine } from '../engines/engine.ts';
import { patientClock } from './patientClock.ts';

export interface LeaseKeeperHost {
  /** A beat for each live attempt. */
  beats(): Beat[];
  /** To this beat, which was sent at `sentAt`, monotonic ms: a lease that it renewed lasts from then at least. */
  replied(reply: BeatReply, beat: Beat, sentAt: number): void;
  /** The engine answered a round, or did not. */
  answered(): void;
  failed(error: unknown): void;
  /** Takes back the jobs of owners that are gone. */
  recover(): Promise<void>;
  /** Ends attempts whose leases are about to. */
  endLapsing(): void;
}

/** What was asked of a live attempt is not left to wait for the next round. */
export type LeaseKeeperEvent = { type: 'beat.now' };

export function createLeaseKeeper(
  engine: Engine,
  clock: Clock,
  { intervalMs, leaseMs }: { intervalMs: number; leaseMs: number },
  host: LeaseKeeperHost,
) {
  return fromCallback<LeaseKeeperEvent>(({ receive }) => {
    let isOver = false;
    const beat = async () => {
      const beats = host.beats();
      if (beats.length === 0) return;
      const sentAt = clock.monotonic();
      const replies = await engine.beat(beats, leaseMs);
      for (const [n, reply] of replies.entries()) host.replied(reply, beats[n] as Beat, sentAt);
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
        recover();
      } catch (error) {
        host.failed(error);
      }
      if (!isOver) timer = clock.setTimeout(round, intervalMs);
    };
    // Who was not there for a while gets a round first, which may renew them.
    const patient = patientClock(clock);
    const look = () => {
      host.endLapsing();
      looking = patient.setTimeout(look, intervalMs);
    };
    receive(() => void beat().catch(host.failed));
    let timer = clock.setTimeout(round, intervalMs);
    let looking = engine.spansMachines ? patient.setTimeout(look, intervalMs) : null;
    return () => {
      isOver = true;
      clock.clearTimeout(timer);
      if (looking !== null) patient.clearTimeout(looking);
    };
  });
}

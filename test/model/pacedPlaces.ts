// Simulated places in which a test decides when the host hears that an attempt has seen the request to stop, that its watchdog
// has killed it, and that it is over; and whether it hears its beats.

import type { AttemptPort, Isolation, Launch, Places } from '../../src/actors/attempt.ts';
import type { SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import { SimulatedPlaces, type SimulatedPlacesOptions } from '../../src/testing/simulatedPlaces.ts';

type Word = 'acknowledged' | 'expired' | 'lapsed' | 'ended' | 'heartbeat';

/** An attempt, and what it has said that nobody has heard yet. */
export class PacedAttempt {
  readonly simulated: SimulatedAttempt;
  /** The host has heard that it is over. */
  isOver = false;
  readonly #said: Map<Word, () => void>;

  constructor(simulated: SimulatedAttempt, said: Map<Word, () => void>) {
    this.simulated = simulated;
    this.#said = said;
  }

  /** Now the host hears it. False: it was not said. */
  hear(word: Word): boolean {
    const say = this.#said.get(word);
    this.#said.delete(word);
    if (word === 'ended' && say !== undefined) this.isOver = true;
    say?.();
    return say !== undefined;
  }
}

export class PacedPlaces implements Places {
  readonly simulated: SimulatedPlaces;
  /** From now on it is heard at once that an attempt is over. */
  hearsEnds = false;
  /** By token. */
  readonly attempts = new Map<string, PacedAttempt>();

  constructor(options: SimulatedPlacesOptions) {
    this.simulated = new SimulatedPlaces(options);
  }

  prepare(): void {}

  launchIn(isolation: Isolation): Launch {
    const launch = this.simulated.launchIn(isolation);
    return (spec, port) => {
      const said = new Map<Word, () => void>();
      const handle = launch(
        spec,
        paced(port, said, () => this.#ended(spec.start.token)),
      );
      this.attempts.set(spec.start.token, new PacedAttempt(handle as SimulatedAttempt, said));
      return handle;
    };
  }

  endGroup(group: Parameters<Places['endGroup']>[0]): Promise<void> {
    return this.simulated.endGroup(group);
  }

  close(): Promise<void> {
    return this.simulated.close();
  }

  #ended(token: string): void {
    if (this.hearsEnds) this.attempts.get(token)?.hear('ended');
  }
}

function paced(port: AttemptPort, said: Map<Word, () => void>, ended: () => void): AttemptPort {
  return {
    started: (group) => port.started(group),
    total: (items) => port.total(items),
    checkpoint: (...args) => port.checkpoint(...args),
    heartbeat: () => said.set('heartbeat', () => port.heartbeat()),
    acknowledged: () => said.set('acknowledged', () => port.acknowledged()),
    expired: (kind) => said.set('expired', () => port.expired(kind)),
    lapsed: () => said.set('lapsed', () => port.lapsed()),
    ended: (...args) => {
      said.set('ended', () => port.ended(...args));
      ended();
    },
  };
}

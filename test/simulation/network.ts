// What lies between the hosts and the engine at this moment, and on the engine's disk. Faults set it (faults.ts), links ask it for
// each message.

import { Random } from './random.ts';

/** No message is late by more. */
export const latestMs = 20_000;

/** Of one host. */
export interface Trouble {
  partition: { loses: 'requests' | 'answers' | 'both'; isRefused: boolean } | null;
  /** Chances that a message is lost or late, and that a call is carried out twice. */
  lossy: number;
  late: number;
  doubling: number;
}

/** What becomes of one call. */
export interface Fate {
  readonly requestMs: number;
  readonly answerMs: number;
  readonly isRequestLost: boolean;
  readonly isAnswerLost: boolean;
  /** The second time comes so much later, ms; null: there is none. */
  readonly againMs: number | null;
  /** Which of the two answers arrives. */
  readonly isSecondAnswered: boolean;
}

export const noTrouble = (): Trouble => ({ partition: null, lossy: 0, late: 0, doubling: 0 });

export class Network {
  readonly #seed: number;
  readonly #troubles: Trouble[];
  readonly #calls = new Map<string, number>();
  /** Null: commits take no time. ms. */
  commitMs: number | null = null;
  isDiskFull = false;
  #commitsAt = 0;

  constructor(seed: number, nodes: number) {
    this.#seed = seed;
    this.#troubles = Array.from({ length: nodes }, noTrouble);
  }

  of(node: number): Trouble {
    return this.#troubles[node] as Trouble;
  }

  fateOf(node: number, method: string): Fate {
    const random = this.#random(node, method);
    const { partition, lossy, late, doubling } = this.of(node);
    const delay = () => (random.chance(0.02) ? random.long(5, 200) : random.long(0.1, 4));
    const requestMs = delay();
    const answerMs = delay();
    const isLate = random.chance(late);
    const lateMs = random.long(200, latestMs);
    const isRequestLate = isLate && random.chance(0.5);
    const isLost = random.chance(lossy);
    const isRequest = random.chance(0.5);
    const isDoubled = random.chance(doubling);
    const loses = partition?.loses;
    return {
      requestMs: requestMs + (isRequestLate ? lateMs : 0),
      answerMs: answerMs + (isLate && !isRequestLate ? lateMs : 0),
      isRequestLost: loses === 'requests' || loses === 'both' || (isLost && isRequest),
      isAnswerLost: loses === 'answers' || (isLost && !isRequest),
      againMs: isDoubled ? random.long(0.1, 10_000) : null,
      isSecondAnswered: random.chance(0.3),
    };
  }

  /** How long news take; null: they are lost. */
  newsMs(node: number): number | null {
    const random = this.#random(node, 'news');
    const { partition, lossy, late } = this.of(node);
    const isLost = random.chance(lossy) || (partition !== null && partition.loses !== 'requests');
    const lateMs = random.long(200, 5000);
    if (isLost) return null;
    return random.chance(late) ? lateMs : random.long(0.1, 100);
  }

  /** When what is written now is durable: all that comes while a commit is under way is the next one. */
  durableIn(now: number): number {
    if (this.commitMs === null) return 0;
    if (now >= this.#commitsAt) this.#commitsAt = now + this.commitMs;
    else if (this.#commitsAt - now <= this.commitMs) this.#commitsAt += this.commitMs;
    return this.#commitsAt - now;
  }

  #random(node: number, method: string): Random {
    const call = `call ${node} ${method}`;
    const number = (this.#calls.get(call) ?? 0) + 1;
    this.#calls.set(call, number);
    return new Random(this.#seed, `${call} ${number}`);
  }
}

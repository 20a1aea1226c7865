// Makes things go wrong at their times, and right again.

import type { Host } from './host.ts';
import type { Wall } from './life.ts';
import { type Network, noTrouble } from './network.ts';
import type { FaultPlan } from './planFaults.ts';
import type { Timeline } from './timeline.ts';
import type { Witness } from './witness.ts';

export interface FaultsHost {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly wall: Wall;
  readonly witness: Witness;
  hostAt(node: number): Host;
  /** A new process in the place of one that is gone. */
  restart(node: number): void;
  happened(fault: string): void;
}

export class Faults {
  readonly #host: FaultsHost;
  #active = 0;

  constructor(host: FaultsHost) {
    this.#host = host;
  }

  begin(faults: readonly FaultPlan[]): void {
    const { timeline } = this.#host;
    for (const fault of faults) {
      timeline.in(fault.at, () => {
        this.#wrong(true);
        this.#host.happened(fault.kind);
        this.#host.witness.history.add(`${describe(fault)} for ${(fault.ms / 1000).toFixed(1)} s`);
        const mend = this.#strike(fault);
        timeline.in(fault.ms, () => {
          this.#host.witness.history.add(`${describe(fault)}: over`);
          mend();
          this.#wrong(false);
        });
      });
    }
  }

  /** How long it has been well is counted from the last of them. */
  #wrong(isMore: boolean): void {
    this.#active += isMore ? 1 : -1;
    this.#host.witness.calmSince = this.#active === 0 ? this.#host.timeline.now : Infinity;
  }

  /** Answers with what mends it. */
  #strike(fault: FaultPlan): () => void {
    const { timeline, network, wall, witness, hostAt, restart } = this.#host;
    switch (fault.kind) {
      case 'crash':
        hostAt(fault.node).crash();
        return () => restart(fault.node);
      case 'stop':
        return this.#stop(hostAt(fault.node), fault.node);
      case 'block':
        hostAt(fault.node).block(fault.ms, timeline);
        return () => {};
      case 'freeze':
        hostAt(fault.node).freeze(fault.ms, timeline);
        return () => {};
      case 'threadEnd':
        hostAt(fault.node).server.endThread?.();
        return () => {};
      case 'partition':
        network.of(fault.node).partition = fault;
        return () => {
          if (network.of(fault.node).partition === fault) network.of(fault.node).partition = null;
        };
      case 'lossy':
      case 'late':
      case 'doubling':
        network.of(fault.node)[fault.kind] = fault.rate;
        return () => {
          network.of(fault.node)[fault.kind] = noTrouble()[fault.kind];
        };
      case 'slowDisk':
        network.commitMs = fault.commitMs;
        return () => {
          network.commitMs = null;
        };
      case 'fullDisk':
        network.isDiskFull = true;
        return () => {
          network.isDiskFull = false;
        };
      case 'clockSet':
        witness.clockSet();
        wall.offset += fault.byMs;
        return () => {};
    }
  }

  /** SIGTERM: it hands back what it has, and is gone. */
  #stop(host: Host, node: number): () => void {
    if (!host.isUp) return () => this.#host.restart(node);
    host.isStopping = true;
    let isGone = false;
    let isDue = false;
    host.processor.stop().then(() => {
      isGone = true;
      if (!host.loop.isDead) {
        this.#host.witness.history.add(`node${node} has stopped`);
        host.crash();
      }
      if (isDue) this.#host.restart(node);
    });
    return () => {
      isDue = true;
      if (isGone || host.loop.isDead) this.#host.restart(node);
    };
  }
}

function describe(fault: FaultPlan): string {
  const node = 'node' in fault ? `node${fault.node}` : '';
  switch (fault.kind) {
    case 'crash':
      return `${node} crashed, and is not there`;
    case 'stop':
      return `${node} is told to stop`;
    case 'block':
      return `the event loop of ${node} is blocked`;
    case 'freeze':
      return `${node} is frozen`;
    case 'threadEnd':
      return `the thread of the database in ${node} ends`;
    case 'partition':
      return `${node} is cut off from the engine (${fault.loses} lost)`;
    case 'lossy':
    case 'late':
    case 'doubling':
      return `messages of ${node} are ${fault.kind} (${fault.rate * 100} %)`;
    case 'slowDisk':
      return `a commit takes ${fault.commitMs} ms`;
    case 'fullDisk':
      return 'the disk is full';
    case 'clockSet':
      return `the clock is set by ${(fault.byMs / 1000).toFixed(1)} s`;
  }
}

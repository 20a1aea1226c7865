// The three places in which an attempt can run, and the children kept ready for two of them. One for each
// processor: `close` leaves no process and no thread.

import type { Isolation, Launch, Places } from '../attempt.ts';
import type { Child } from './child.ts';
import { launchInline } from './inlineAttempt.ts';
import { runInChild } from './isolatedAttempt.ts';
import { startProcess } from './processChild.ts';
import { endGroup } from './processGroup.ts';
import { toFailure } from './protocol.ts';
import { Spares } from './spares.ts';
import { startThread } from './threadChild.ts';

export class Isolations implements Places {
  readonly #spares: Record<'process' | 'thread', Spares>;

  /** `count`: how many of each to keep started ahead, with the module `warm` loaded. */
  constructor(count: number, warm: string) {
    this.#spares = {
      process: new Spares(startProcess, count, warm),
      thread: new Spares(startThread, count, warm),
    };
  }

  /** Starts their spares. */
  prepare(used: ReadonlySet<Isolation>): void {
    for (const isolation of used) if (isolation !== 'inline') this.#spares[isolation].fill();
  }

  launchIn(isolation: Isolation): Launch {
    if (isolation === 'inline') return launchInline;
    const spares = this.#spares[isolation];
    return (spec, port) => {
      // Only a job that asked for it gets a child that was used, and only by itself.
      const owner = spec.reuse ? `${spec.start.name} ${spec.module}` : null;
      const rested = (child: Child) => spares.rest(child, owner as string);
      const unborn = () => {
        try {
          handle = runInChild(spares.take(null), spec, port, { rested });
        } catch (error) {
          port.ended({ kind: 'failed', failure: toFailure(error) });
        }
      };
      let handle = runInChild(spares.take(owner), spec, port, { rested, unborn });
      return {
        ask: (reason) => handle.ask(reason),
        terminate: () => handle.terminate(),
        kill: () => handle.kill(),
        retime: () => handle.retime(),
        renew: () => handle.renew(),
      };
    };
  }

  readonly endGroup = endGroup;

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#spares).map((spares) => spares.close()));
  }
}

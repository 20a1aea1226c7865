// A real child with an attempt in it: what it says, and how it ends. Its job is text, so that each test shows its own.

import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import type { Child, Exit } from '../../src/actors/isolation/child.ts';
import { startProcess } from '../../src/actors/isolation/processChild.ts';
import type { ChildMessage } from '../../src/actors/isolation/protocol.ts';

export const noLimits = {
  jobMs: Infinity,
  heartbeatMs: Infinity,
  progressMs: Infinity,
  deadlineAt: Infinity,
  memoryLimitMb: Infinity,
};

/** A module whose default export is this. */
export const moduleOf = (exported: string) => `data:text/javascript,${encodeURIComponent(exported)}`;

/** A job that does this. */
export const jobOf = (body: string) =>
  moduleOf(`export default { async run(input, { log, signal }) { ${body} } }`);

export class LiveChild {
  readonly child: Child;
  readonly said: ChildMessage[] = [];
  readonly output: string[] = [];
  readonly ended: Promise<Exit>;
  #heard = Promise.withResolvers<void>();

  constructor(child: Child) {
    this.child = child;
    this.ended = new Promise((resolve) =>
      child.listen({
        message: (message) => {
          this.said.push(message);
          this.#heard.resolve();
          this.#heard = Promise.withResolvers();
        },
        output: (_, line) => this.output.push(line),
        ended: resolve,
      }),
    );
  }

  start(module: string, stays = false): this {
    const attempt = { jobId: 'id', name: 'job', attempt: 1, token: 't', input: 'null', checkpoint: null };
    this.child.post({
      type: 'start',
      module,
      beatMs: 100,
      logLevel: 'info',
      stays,
      attempt: { ...attempt, chunksDone: 0, chunkSize: 1, trace: null },
    });
    return this;
  }

  /** The first word of this type. */
  async says<Type extends ChildMessage['type']>(type: Type): Promise<Extract<ChildMessage, { type: Type }>> {
    for (;;) {
      const found = this.said.find((message) => message.type === type);
      if (found !== undefined) return found as Extract<ChildMessage, { type: Type }>;
      await this.#heard.promise;
    }
  }
}

/** A child process, and Node's own view of it. */
export function spawned(): [LiveChild, ChildProcess] {
  let process: ChildProcess | undefined;
  const see = (message: unknown) => {
    process = (message as { process: ChildProcess }).process;
  };
  subscribe('child_process', see);
  try {
    return [new LiveChild(startProcess()), process as ChildProcess];
  } finally {
    unsubscribe('child_process', see);
  }
}

/** What is on its way from a child that has ended has come. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await setImmediate();
}

// Random walks: whatever happens to a queue in whatever order, it does what the plain model says (queueModel.ts). A walk that
// fails is printed with its seed and path, and made small. WALKS=5000 walks as many.

import fc from 'fast-check';
import { describe, test } from 'vitest';
import { anyCommands } from './queueCommands.ts';
import { QueueModel } from './queueModel.ts';
import { QueueWorld } from './queueWorld.ts';
import { type EngineName, engineNames } from './world.ts';

const defaults: Record<EngineName, number> = { memory: 40, sqlite: 8 };
const seed = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };

describe.each(engineNames)('a queue on %s', (engine) => {
  test('does what the plain model does, whatever happens', { timeout: 3_600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anyCommands, async (commands) => {
        const real = await new QueueWorld(engine).open();
        const setup = () => ({ model: new QueueModel(real.world.clock.now()), real });
        // A world that cannot be closed is told too, but not in place of why.
        const failure = await fc.asyncModelRun(setup, commands).then(
          () => null,
          (error) => ({ error }),
        );
        const closing = await real.close().then(
          () => null,
          (error) => ({ error }),
        );
        const first = failure ?? closing;
        if (first !== null) throw first.error;
      }),
      { numRuns: Number(process.env.WALKS ?? defaults[engine]), ...seed },
    );
  });
});

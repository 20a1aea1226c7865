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
        try {
          await fc.asyncModelRun(() => ({ model: new QueueModel(real.world.clock.now()), real }), commands);
        } finally {
          await real.close();
        }
      }),
      { numRuns: Number(process.env.WALKS ?? defaults[engine]), ...seed },
    );
  });
});

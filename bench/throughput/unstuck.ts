// Ours, on SQLite with durability `full`; or, to see what that adds, in memory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { noopsOn } from './noops.ts';

export async function open(space: string, variant: string) {
  const folder = mkdtempSync(join(tmpdir(), `${space}-`));
  const engine =
    variant === 'memory' ? new MemoryEngine() : new SqliteEngine({ path: join(folder, 'jobs.db') });
  const noops = noopsOn(engine);
  return {
    ...noops,
    commits: () => (engine instanceof SqliteEngine ? engine.commits : 0),
    async remove() {
      await noops.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

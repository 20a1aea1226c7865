// Runs Node so that it, and every process and thread that comes of it, writes what it has run.

import { spawnSync } from 'node:child_process';

/** `output`: the descriptor that takes its standard output. */
export function runMeasured(folder: string, args: readonly string[], output: number | 'ignore') {
  return spawnSync(process.execPath, args, {
    stdio: ['ignore', output, 'inherit'],
    env: {
      ...process.env,
      NODE_V8_COVERAGE: folder,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${new URL('tap.ts', import.meta.url)}`,
      // V8 counts less in code that comes out of a cache.
      NODE_DISABLE_COMPILE_CACHE: '1',
    },
  });
}

// Loaded ahead of everything in every process and thread of a coverage run (`--import`). Node writes coverage when a
// process ends in order; here those that kill themselves write theirs before.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { takeCoverage } from 'node:v8';

const kill = process.kill.bind(process);
process.kill = (pid, signal) => {
  if (signal === 'SIGKILL' && Math.abs(pid) === process.pid) takeCoverage();
  return kill(pid, signal);
};

// Threads of ours say themselves what is loaded ahead in them.
const threads = createRequire(import.meta.url)('node:worker_threads') as typeof import('node:worker_threads');
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(...[file, options]: ConstructorParameters<typeof Worker>) {
    super(file, {
      ...options,
      execArgv: [...(options?.execArgv ?? process.execArgv), `--import=${import.meta.url}`],
    });
  }
};
syncBuiltinESMExports();

// A job's code as a process of its own would have it: its file imported anew, so that no variable of an earlier attempt is
// there. What that file imports itself is not new.

import { isChunked, type JobCode } from '../actors/jobCode.ts';
import type { SimulatedAttempt } from './simulatedAttempt.ts';

let imports = 0;

/** Inline code shares the memory of its host, and is what it is. */
export async function freshCode({ spec }: Pick<SimulatedAttempt, 'spec'>): Promise<JobCode> {
  const { module, code } = spec;
  if (module === null) return code;
  imports += 1;
  const url = new URL(module);
  url.searchParams.set('unstuck', String(imports));
  const loaded = (await import(url.href)) as { default?: Partial<Record<'run' | 'process', unknown>> };
  const fresh = loaded.default?.[isChunked(code) ? 'process' : 'run'];
  if (typeof fresh !== 'function')
    throw new Error(
      `${module}: expected the job as its default export, got something else. It is what a process of its own runs.`,
    );
  return loaded.default as JobCode;
}

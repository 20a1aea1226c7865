// The part of this package that is used here; it brings no types.
declare module '@bcoe/v8-coverage' {
  import type { Profiler } from 'node:inspector';
  /** May change what it is given. `undefined` for none. */
  export function mergeScriptCovs(scripts: Profiler.ScriptCoverage[]): Profiler.ScriptCoverage | undefined;
}

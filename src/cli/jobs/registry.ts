// The module that exports an app's jobs, imported as Node does: JavaScript or TypeScript, ESM or CommonJS.

import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigurationError, type Jobs } from '../../index.ts';
import { printError } from '../errorLine.ts';

const expected = 'a module that exports its jobs by name, as `jobs` or by default';
const example = 'For example: export const jobs = { invoices };';

/** Throws ConfigurationError. Whether each of them is a job is checked by the processor that gets them. */
export async function loadRegistry(path: string): Promise<Jobs> {
  if (!existsSync(path)) throw new ConfigurationError(path, expected, 'no file');
  const module = await importedFrom(path);
  const registry = registryOf(module);
  if (typeof registry !== 'object' || registry === null || Array.isArray(registry))
    throw new ConfigurationError(path, expected, `one that exports ${namesOf(module)}`, example);
  if ('run' in registry || 'chunks' in registry)
    throw new ConfigurationError(path, expected, 'a single job without a name', example);
  if (Object.keys(registry).length === 0) throw new ConfigurationError(path, expected, 'no job', example);
  return registry as Jobs;
}

/** What CommonJS exports is the default here, its names only where Node could tell them; so is what was compiled to it. */
function registryOf({ jobs, default: whole }: Record<string, unknown>): unknown {
  const inner = whole as { jobs?: unknown; default?: unknown; __esModule?: true } | null | undefined;
  if (jobs !== undefined) return jobs;
  if (inner?.__esModule === true) return inner.jobs ?? inner.default;
  return isRegistry(inner?.jobs) ? inner.jobs : whole;
}

/** A job may be called `jobs`. */
function isRegistry(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !('run' in value || 'chunks' in value);
}

async function importedFrom(path: string): Promise<Record<string, unknown>> {
  const held = holdProcess(path);
  try {
    return await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new ConfigurationError(path, 'a module that can be imported', reason.replace(/\.$/, ''));
  } finally {
    held.release();
  }
}

/**
 * While an app's module is imported: what it prints is not our result, a signal leaves at once, and a module that ends the
 * process, or never comes to its end, is an error like any other.
 */
function holdProcess(path: string): { release(): void } {
  const write = process.stdout.write;
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof write;
  const ended = () => {
    process.stdout.write = write;
    const error = `${path}: expected a module that can be imported, got one that ended the process or never came to its end.`;
    printError(error);
    if (process.argv.includes('--json')) console.log(JSON.stringify({ error }));
    process.exitCode = 2;
  };
  const leave = (signal: NodeJS.Signals) => {
    process.off('exit', ended);
    process.exit(128 + constants.signals[signal]);
  };
  process.on('exit', ended);
  process.on('SIGINT', leave).on('SIGTERM', leave);
  return {
    release() {
      process.stdout.write = write;
      process.off('exit', ended).off('SIGINT', leave).off('SIGTERM', leave);
    },
  };
}

function namesOf(module: object): string {
  return Object.keys(module).join(', ') || 'nothing';
}

// The engine that `--engine` or UNSTUCK_ENGINE names, as the commands that look or act use it: an engine that is there
// is opened, never made; nothing runs in it; and it is closed however the command ends.

import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { Option } from 'commander';
import { ConfigurationError, JobProcessor, type Jobs, type ProcessorOptions } from '../../index.ts';
import { noLogger } from '../logger.ts';
import { webhooksOf } from './webhookTarget.ts';

/** Of what can be reached from another process. */
export type EngineName = Extract<ProcessorOptions<Jobs>['engine'], `${string}:${string}`>;

export function engineOption(): Option {
  return new Option('--engine <where>', 'where jobs are kept: sqlite:FILE or postgres://HOST/DATABASE').env(
    'UNSTUCK_ENGINE',
  );
}

export function isPostgres(engine: string): engine is Extract<EngineName, `postgres${string}`> {
  return /^postgres(ql)?:\/\/./.test(engine);
}

/** As it may stand in a log: without its password. */
export function shown(engine: EngineName): string {
  if (!isPostgres(engine) || !URL.canParse(engine)) return isPostgres(engine) ? 'postgres://…' : engine;
  const url = new URL(engine);
  if (url.password !== '') url.password = '…';
  url.searchParams.delete('password');
  return decodeURI(url.href);
}

/** Memory is refused: what is in it cannot be reached from another process. */
export function checkEngine(engine: string | undefined): EngineName {
  if (engine !== undefined && isPostgres(engine) && !URL.canParse(engine))
    throw new ConfigurationError(
      '--engine',
      'a URL such as postgres://user@host:5432/database',
      'one that cannot be read',
    );
  if (engine !== undefined && (/^sqlite:./.test(engine) || isPostgres(engine))) return engine as EngineName;
  const got = engine === undefined ? 'nothing' : JSON.stringify(engine);
  const file = engine === undefined || engine === 'memory' || engine.endsWith(':') ? 'jobs.db' : engine;
  throw new ConfigurationError(
    '--engine',
    'sqlite:FILE or postgres://HOST/DATABASE',
    got,
    `Give --engine sqlite:${file} or set UNSTUCK_ENGINE.`,
  );
}

export function fileOf(engine: EngineName): string {
  return engine.slice('sqlite:'.length);
}

/** Nothing is made, and no table is put into somebody else's database, because a name was mistyped. */
export async function checkIsThere(engine: EngineName): Promise<void> {
  if (isPostgres(engine)) {
    // Loaded by who has jobs there.
    const { schemaOf, versionAt } = await import('../../engines/postgres/setUp.ts');
    if ((await versionAt(engine)) > 0) return;
    throw new ConfigurationError(
      shown(engine),
      `a schema ${schemaOf(engine)} with jobs`,
      'none',
      'Check --engine; unstuck work, unstuck submit and unstuck migrate make a new one.',
    );
  }
  const file = fileOf(engine);
  if (!existsSync(file)) {
    throw new ConfigurationError(
      file,
      'a file with jobs',
      'none',
      'Check --engine; unstuck work and unstuck submit make a new one.',
    );
  }
  if (!statSync(file).isFile()) throw new ConfigurationError(file, 'a file with jobs', 'something else');
  // Where others are open on it, its version may still be in the log beside it.
  if (!existsSync(`${file}-wal`) && isForeign(file)) {
    throw new ConfigurationError(file, 'a file with jobs', 'an SQLite database of something else');
  }
}

/** SQLite's header: 16 bytes of magic; at 60 the version that the schema is given, which is never 0 in ours. */
function isForeign(file: string): boolean {
  const header = Buffer.alloc(64);
  try {
    const descriptor = openSync(file, 'r');
    try {
      readSync(descriptor, header, 0, 64, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The engine says better what is wrong with it.
    return false;
  }
  return header.toString('latin1', 0, 15) === 'SQLite format 3' && header.readInt32BE(60) === 0;
}

/** A processor that is not started: it asks, and acts. */
export async function withEngine<T>(
  name: string | undefined,
  use: (processor: JobProcessor<Jobs>, engine: EngineName) => Promise<T>,
): Promise<T> {
  const engine = checkEngine(name);
  await checkIsThere(engine);
  // What is ended from here is told as it would be by a worker.
  const webhooks = webhooksOf({}, process.env);
  const processor = new JobProcessor<Jobs>({ engine, jobs: {}, logger: noLogger, ...webhooks });
  try {
    return await use(processor, engine);
  } finally {
    await processor.stop();
  }
}

// Standard input as a side: the job runs in a process of its own, and may be tried again, so it is written to a private file first.
// The file goes with this process, however it ends; what `kill -9` left is removed by a later run.

import { createHash } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ReconciliationInput, ReconciliationInputError } from '../reconciliation/index.ts';

const prefix = 'unstuck-standard-input-';
const oldMs = 24 * 3600 * 1000;

export interface Spooled {
  readonly input: ReconciliationInput;
  /** Of the file; null where neither side is standard input. */
  readonly path: string | null;
  remove(): void;
}

/** Throws a ReconciliationInputError where both sides are standard input. */
export async function spoolStandardInput(
  input: ReconciliationInput,
  stream: NodeJS.ReadableStream,
  signal: AbortSignal,
): Promise<Spooled> {
  if (input.left !== '-' && input.right !== '-') return { input, path: null, remove() {} };
  if (input.left === input.right) {
    const advice = 'Name a file for the other.';
    throw new ReconciliationInputError('-', 'standard input for one side', 'it for both', advice);
  }
  await removeLeftovers();
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  const remove = () => {
    rmSync(folder, { recursive: true, force: true });
    process.off('exit', remove);
  };
  process.on('exit', remove);
  try {
    const path = await spool(folder, stream, signal);
    return { input: { ...input, [input.left === '-' ? 'left' : 'right']: path }, path, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Named and dated by what it holds, so that the same command, given the same again, goes on. */
async function spool(folder: string, stream: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const first = join(folder, 'input');
  await pipeline(
    stream,
    async function* (blocks: AsyncIterable<Buffer | string>) {
      for await (const block of blocks) {
        hash.update(block);
        yield block;
      }
    },
    createWriteStream(first, { mode: 0o600 }),
    { signal },
  );
  const path = join(folder, `input-${hash.digest('hex').slice(0, 32)}`);
  await rename(first, path);
  await utimes(path, 0, 0);
  return path;
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^unstuck-standard-input-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid === 0 || isAlive(pid)) continue;
    const path = join(tmpdir(), name);
    // A process of another container may look dead from here.
    const info = await stat(path).catch(() => null);
    if (info !== null && info.uid === process.getuid?.() && Date.now() - info.mtimeMs > oldMs)
      await rm(path, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

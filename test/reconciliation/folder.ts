// A temporary folder for the running test, gone with it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface Folder {
  path(name: string): string;
  write(name: string, content: string | Uint8Array): string;
  read(name: string): string;
}

export function testFolder(): Folder {
  const root = mkdtempSync(join(tmpdir(), 'unstuck-reconciliation-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const path = (name: string) => join(root, name);
  return {
    path,
    write(name, content) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), content);
      return path(name);
    },
    read: (name) => readFileSync(path(name), 'utf8'),
  };
}

/** What a summary must say, of a sample with this truth. */
export function expected(truth: Record<string, unknown>): Record<string, unknown> {
  const { rows: _rows, seed: _seed, ...counts } = truth;
  return counts;
}

// A copy of this checkout to plant faults in, uncommitted work included: nothing that is planted can be left in the
// sources, whatever ends the command. What a fault lets run on is found by the copy's path, and ended.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plant, withFault } from './plant.ts';

export const checkout = fileURLToPath(new URL('../..', import.meta.url));

export class PlantedCopy {
  readonly path = mkdtempSync(join(tmpdir(), 'unstuck-planted-'));

  constructor() {
    try {
      this.#fill();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #fill(): void {
    const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const files = execFileSync('git', listed, { cwd: checkout, encoding: 'utf8', maxBuffer: 2 ** 26 });
    for (const file of files.split('\0')) {
      // What was removed and not committed is listed too.
      if (file === '' || !existsSync(join(checkout, file))) continue;
      mkdirSync(dirname(join(this.path, file)), { recursive: true });
      copyFileSync(join(checkout, file), join(this.path, file));
    }
    symlinkSync(join(checkout, 'node_modules'), join(this.path, 'node_modules'));
  }

  /** Answers with what takes it out again. */
  plant(plant: Plant): () => void {
    const file = join(this.path, plant.file);
    const source = readFileSync(file, 'utf8');
    writeFileSync(file, withFault(source, plant));
    return () => writeFileSync(file, source);
  }

  /** Ends what runs in the copy, or from it. */
  endStrays(): void {
    for (const pid of existsSync('/proc') ? readdirSync('/proc').map(Number) : []) {
      if (!Number.isInteger(pid) || pid === process.pid || !this.#isOfCopy(pid)) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  #isOfCopy(pid: number): boolean {
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      return cwd.startsWith(this.path) || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.path);
    } catch {
      return false;
    }
  }

  remove(): void {
    this.endStrays();
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

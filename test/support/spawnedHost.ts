// An app in a process of its own, as a test spawns it: it takes an order, and says what happens as JSON lines on
// standard error.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export class SpawnedHost<Word extends object> implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly words: Word[] = [];
  /** All that it wrote beside its words: how it died, say. */
  text = '';
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  #hasEnded = false;
  #heard = Promise.withResolvers<void>();

  /** `flags` of Node. */
  constructor(script: URL, order: object, flags: string[] = []) {
    this.process = spawn(process.execPath, [...flags, fileURLToPath(script), JSON.stringify(order)], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.process.pid as number;
    this.process.stdout?.resume();
    let open = '';
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (open + text).split('\n');
      open = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('{"')) this.words.push(JSON.parse(line));
        else this.text += `${line}\n`;
      }
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    });
    this.ended = new Promise((resolve) =>
      this.process.once('close', (code, signal) => {
        this.#hasEnded = true;
        this.#heard.resolve();
        resolve(code ?? signal);
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.ended;
  }

  /** With its group: what an inline or thread job started is in it. */
  kill(): void {
    if (this.process.exitCode === null && this.process.signalCode === null)
      process.kill(-this.pid, 'SIGKILL');
  }

  /** The first word with this key; undefined where the host ended without one. */
  async says<K extends Word extends unknown ? keyof Word : never>(
    key: K,
  ): Promise<Extract<Word, Record<K, unknown>>> {
    for (;;) {
      const word = this.words.find((said) => key in said);
      if (word !== undefined || this.#hasEnded) return word as Extract<Word, Record<K, unknown>>;
      await this.#heard.promise;
    }
  }
}

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of a process, as the kernel tells it: R, S, D, T (stopped), Z. */
export function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}

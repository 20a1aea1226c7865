// The job commands in a folder of their own, each a real process on the same engine file.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { JobState, JobStatus } from '../../../src/index.ts';
import { type Ended, type Running, root, run, start, temporaryFolder } from '../commandLine.ts';

export const registry = join(root, 'test/fixtures/registry.ts');

export class JobCommands {
  readonly cwd = temporaryFolder();
  readonly #surroundings: { cwd: string; env: Record<string, string> };

  constructor(environment: Record<string, string> = {}) {
    this.#surroundings = { cwd: this.cwd, env: { UNSTUCK_ENGINE: 'sqlite:jobs.db', ...environment } };
  }

  start(...args: string[]): Running {
    return start(args, this.#surroundings);
  }

  run(...args: string[]): Promise<Ended> {
    return run(args, this.#surroundings);
  }

  /** Of a command that has to succeed. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  }

  /** A worker that is at work. */
  async work(...options: string[]): Promise<Running> {
    const worker = this.start('work', registry, ...options);
    await worker.printed('working on sqlite:jobs.db');
    return worker;
  }

  /** Answers with the id. */
  async submit(name: string, input: unknown, ...options: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(
      'submit',
      registry,
      name,
      JSON.stringify(input),
      ...options,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    return stdout.trim();
  }

  async until(id: string, state: JobState): Promise<JobStatus> {
    for (;;) {
      const job = await this.json<JobStatus>('show', id);
      if (job.state === state) return job;
      await pause(50);
    }
  }
}

export const states = ({ history }: JobStatus) => history.map(({ state }) => state);

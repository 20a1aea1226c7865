// A job is taken along every path of its chart, with its own code; and what a job or the runtime does wrong on one is found.

import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob } from '../../src/index.ts';
import { type JobPath, jobPaths } from '../../src/testing/index.ts';

const isolations = ['process', 'thread', 'inline'] as const;
type Isolation = (typeof isolations)[number];

const chunked = (isolation: Isolation) =>
  defineChunkedJob({
    module: import.meta.url,
    isolation,
    start: { next: 0, sum: 0 },
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint.next; n < input; n += 1) yield [n];
    },
    async process([n = 0], { checkpoint, append }) {
      append({ n });
      return { next: n + 1, sum: checkpoint.sum + n };
    },
    result: ({ sum }) => sum,
  });
const one = (isolation: Isolation) =>
  defineJob({ module: import.meta.url, isolation, run: async (input: number) => ({ twice: input * 2 }) });

/** What is said of the paths that fail. */
async function complaints(paths: JobPath[]): Promise<string[]> {
  const said: string[] = [];
  for (const path of paths) await path.run().catch((error: Error) => said.push(error.message));
  return said;
}

describe.each(isolations)('isolation %s', (isolation) => {
  test.each([
    ['chunked', jobPaths(chunked(isolation), 5)],
    ['of one function', jobPaths(one(isolation), 5)],
  ])('a job %s goes as its chart says, on every path', async (_, paths) => {
    expect(await complaints(paths)).toEqual([]);
    expect(paths.length).toBeGreaterThan(50);
  });
});

test.each([0, 1, 2])('a job with %d chunks takes them all too', async (chunks) => {
  expect(await complaints(jobPaths(chunked('process'), chunks))).toEqual([]);
});

test('no two paths have one name, and each kind of disturbance, stop and end is there', () => {
  const names = jobPaths(chunked('process'), 1).map(({ description }) => description);
  expect(new Set(names).size).toBe(names.length);
  const words = [
    ...[
      'job timeout',
      'heartbeat timeout',
      'progress timeout',
      'deadline',
      'queue timeout',
      'timeout by hand',
    ],
    ...['cancel', 'throws', 'crashes', 'kill -9', 'lease lost', 'processor stopped', 'watchdog'],
    ...['before it begins', 'after a checkpoint', 'in its last chunk', 'with its result at hand'],
    ...['leaves when asked', 'terminated', 'killed', 'could not be ended', 'completes all the same'],
    ...['undisturbed', 'tried again', ': completed', ': failed', ': timedOut', ': cancelled'],
  ];
  for (const word of words) expect(names.join('\n')).toContain(word);
});

test('docs/testing.md says how many there are', () => {
  const page = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8');
  for (const isolation of isolations) {
    const counts = [jobPaths(chunked(isolation), 1), jobPaths(one(isolation), 1)].map(({ length }) => length);
    expect(page).toContain(`| \`${isolation}\` | ${counts.join(' | ')} |`);
  }
});

describe('a job that is wrong is found', () => {
  test('where it begins anew and not from its checkpoint', async () => {
    const anew = defineChunkedJob({
      ...chunked('process'),
      *chunks(input: number) {
        for (let n = 0; n < input; n += 1) yield [n];
      },
    });
    const said = await complaints(jobPaths(anew, 3));
    expect(said.length).toBeGreaterThan(20);
    expect(said[0]).toMatch(/rows: expected those of an undisturbed run, at \[\d\] expected/);
  });

  test('where it keeps what it needs in a variable', async () => {
    let sum = 0;
    const forgetful = defineChunkedJob({
      ...chunked('process'),
      process([n = 0], { checkpoint }) {
        sum += n;
        return { ...checkpoint, next: n + 1 };
      },
      result: () => sum,
    });
    const [first] = await complaints(jobPaths(forgetful, 3).slice(0, 100));
    expect(first).toContain('result: expected that of an undisturbed run');
  });

  test('where it does not even complete undisturbed, and why', async () => {
    const failing = defineJob({
      module: import.meta.url,
      run: () => {
        throw new Error('no paper');
      },
    });
    const [first] = await complaints(jobPaths(failing, undefined).slice(0, 1));
    expect(first).toContain(
      'expected the job to complete, it went queued → running → failed: Error: no paper',
    );
  });
});

describe('a runtime that is wrong is found', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const { checkpoint, settle, claim } = MemoryEngine.prototype;
  const said = () => complaints(jobPaths(chunked('process'), 3));

  test('where it stores rows twice', async () => {
    vi.spyOn(MemoryEngine.prototype, 'checkpoint').mockImplementation(function (this: MemoryEngine, write) {
      return checkpoint.call(this, { ...write, rows: [...write.rows, ...write.rows] });
    });
    expect((await said())[0]).toContain('rows: expected those of the acknowledged chunks');
  });

  test('where it forgets a checkpoint', async () => {
    vi.spyOn(MemoryEngine.prototype, 'claim').mockImplementation(async function (this: MemoryEngine, given) {
      return (await claim.call(this, given)).map((job) => ({ ...job, checkpoint: null }));
    });
    expect((await said())[0]).toContain('expected to begin from the last checkpoint');
  });

  test('where it ends a job elsewhere than its chart', async () => {
    vi.spyOn(MemoryEngine.prototype, 'settle').mockImplementation(function (
      this: MemoryEngine,
      id,
      token,
      verdict,
    ) {
      return settle.call(
        this,
        id,
        token,
        verdict.state === 'timedOut' ? { ...verdict, state: 'failed' } : verdict,
      );
    });
    expect((await said())[0]).toMatch(/it went another way[\s\S]+✗ timedOut \(\w+\).+ failed/);
  });

  test('where it does not fence', async () => {
    vi.spyOn(MemoryEngine.prototype, 'checkpoint').mockImplementation(async function (
      this: MemoryEngine,
      write,
    ) {
      const token = (await this.get(write.id))?.token ?? write.token;
      return checkpoint.call(this, { ...write, token });
    });
    expect((await said()).join('\n')).toContain('had lost its lease to be refused, it was acknowledged');
  });
});

test.each([
  [() => jobPaths({} as never, undefined as never), /^definition: expected a job of defineJob/],
  [
    () => jobPaths(one('process'), 1, { rows: () => 1 } as never),
    /^options.rows: expected one of submit, row/,
  ],
  [() => jobPaths(one('process'), 1, { row: 1 } as never), /^row: expected a function, got 1/],
])('what cannot be is refused: %s', (call, message) => {
  expect(call).toThrow(message);
});

// SIGTERM under load, again and again: `unstuck work` is told to stop while jobs come in and run, hands back what is not done
// within the grace, and leaves nothing behind; the next worker goes on. Then all is counted. SIGTERM_ROUNDS=50 runs it for longer.
// Real time: the subject is a process that is told to leave. The bound is the one that is promised: the grace, and the stop
// budget of the jobs.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { mulberry32 } from '../../examples/reconcile/generate.ts';
import { JobProcessor } from '../../src/index.ts';
import { stopBudgetMs } from '../../src/machines/ladder.ts';
import { root, start, temporaryFolder } from '../cli/commandLine.ts';
import { children, isAlive } from '../support/processes.ts';
import { countJobs } from './count.ts';
import journaled from './journaledJob.ts';

const rounds = Number(process.env.SIGTERM_ROUNDS ?? 3);
const jobGraceSeconds = 0.5;

test(
  `SIGTERM ${rounds} times under load: nothing lost, nothing doubled, out within the grace, no orphan`,
  async () => {
    const cwd = temporaryFolder();
    const path = join(cwd, 'jobs.db');
    const journal = join(cwd, 'journal');
    const acknowledged = new Set<string>();
    const seed = Date.now() % 1_000_000;
    const random = mulberry32(seed);
    await using submitter = new JobProcessor({
      engine: `sqlite:${path}`,
      jobs: { journaled },
      graceSeconds: jobGraceSeconds,
      logger: pino({ level: 'silent' }),
    });

    const open = async () => {
      const counts = await submitter.counts();
      return { alive: counts.running + counts.stopping, waiting: counts.queued + counts.retrying };
    };
    const submitUntil = async (signal: AbortSignal) => {
      while (!signal.aborted) {
        const key = `job-${acknowledged.size}`;
        const input = {
          key,
          chunks: 1 + Math.floor(random() * 6),
          chunkMs: Math.floor(random() * 120),
          journal,
        };
        await submitter.submit('journaled', input, { idempotencyKey: key });
        acknowledged.add(key);
        await sleep(20 + random() * 80);
      }
    };
    const work = async (graceSeconds: number) => {
      const registry = join(root, 'test/fixtures/registry.ts');
      const options = ['--engine', `sqlite:${path}`, '--concurrency', '4', '--grace', `${graceSeconds}s`];
      const worker = start(['work', registry, ...options], { cwd });
      await worker.printed('working on');
      return worker;
    };

    const report = { seed, handedBack: 0, longestMs: 0, latestMs: -Infinity };
    for (let round = 0; round < rounds; round += 1) {
      const graceSeconds = Math.floor(random() * 500) / 1000;
      const worker = await work(graceSeconds);
      const seen = new Set<number>();
      const looking = setInterval(() => {
        for (const pid of children(worker.process.pid)) seen.add(pid);
      }, 20);
      const submitting = new AbortController();
      const submitted = submitUntil(submitting.signal);
      await sleep(700 + random() * 1500);
      // It is under load: what it is told finds it at work.
      while ((await open()).alive === 0) await sleep(10);
      const toldAt = performance.now();
      worker.process.kill('SIGTERM');
      const { code, stdout, stderr } = await worker.ended;
      const tookMs = performance.now() - toldAt;
      clearInterval(looking);
      submitting.abort();
      await submitted;
      expect({ seed, round, code, stderr }).toEqual({ seed, round, code: 0, stderr: '' });
      expect(tookMs).toBeLessThan(graceSeconds * 1000 + stopBudgetMs(jobGraceSeconds * 1000));
      expect(seen.size).toBeGreaterThan(0);
      expect([...seen].filter(isAlive)).toEqual([]);
      expect((await open()).alive).toBe(0);
      report.handedBack += Number(/stopped: (\d+) jobs? handed back/.exec(stdout)?.[1]);
      report.longestMs = Math.max(report.longestMs, Math.round(tookMs));
      report.latestMs = Math.max(report.latestMs, Math.round(tookMs - graceSeconds * 1000));
    }

    const last = await work(30);
    for (let left = await open(); left.alive + left.waiting > 0; left = await open()) await sleep(100);
    last.process.kill('SIGTERM');
    expect((await last.ended).code).toBe(0);
    const count = await countJobs(submitter, { path, journal, acknowledged });
    if (process.env.SIGTERM_ROUNDS !== undefined) console.log(JSON.stringify({ ...report, ...count }));
    expect({ seed, ...count }).toEqual({
      seed,
      submitted: acknowledged.size,
      completed: acknowledged.size,
      lost: 0,
      doubled: 0,
      chunksRepeatedAfterCheckpoint: 0,
      settledTwice: 0,
    });
    expect(report.handedBack).toBeGreaterThan(0);
    // An attempt that was handed back was not used up.
    for await (const { attempt } of submitter.list({ limit: Infinity })) expect(attempt).toBe(1);
  },
  60_000 + rounds * 20_000,
);

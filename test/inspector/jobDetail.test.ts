// What the page is told of one job: what its code was given, stored and said; without its secrets, and never more than a page
// can show.

import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigurationError, defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import type { Inspector } from '../../src/inspector/inspector.ts';
import type { JobDetail } from '../../src/inspector/jobDetail.ts';
import { JobLines } from '../../src/inspector/jobLines.ts';

interface Input {
  password: string;
  text: string;
  card: { number: string };
}

const jobs = {
  secretive: defineChunkedJob({
    start: { cursor: 0, password: '' },
    async *chunks(_: Input, { checkpoint }) {
      for (let n = checkpoint.cursor; n < 2; n += 1) yield [n];
    },
    process([n = 0], { input, log }) {
      log.info({ password: input.password, chunk: n }, `chunk ${n}`);
      if (n === 1) throw new Error('stop here');
      return { cursor: n + 1, password: input.password };
    },
  }),
};
let processor: JobProcessor<typeof jobs>;
let inspector: Inspector;
let written: string[];
beforeEach(async () => {
  written = [];
  processor = await new JobProcessor({
    engine: 'memory',
    jobs,
    // What the log hides itself is hidden from the page, too.
    logger: pino({ redact: ['chunk'] }, { write: (line) => written.push(line) }),
  }).start();
  inspector = await processor.inspect({
    redact: ['password', 'card.*', 'status.failure.*', 'status.history[*].reason'],
  });
});
afterEach(async () => {
  await inspector.close();
  await processor.stop();
});

async function detailOf(text: string): Promise<JobDetail> {
  const input = { password: 'hunter2', text, card: { number: '4111' } };
  const job = await processor.submit('secretive', input);
  await job.result().catch(() => {});
  return (await (await fetch(new URL(`jobs/${job.id}`, inspector.url as string))).json()) as JobDetail;
}

test('input, checkpoint and log lines are shown, and secrets are not', async () => {
  const detail = await detailOf('a payment');
  const hidden = '[REDACTED]';
  expect(detail.input).toEqual({ password: hidden, text: 'a payment', card: { number: hidden } });
  expect(detail.checkpoint).toEqual({ cursor: 1, password: hidden });
  expect(detail.lines.map(({ msg }) => msg)).toEqual([
    expect.stringMatching(/^job .* running$/),
    'chunk 0',
    'chunk 1',
    expect.stringMatching(/^job .* failed$/),
  ]);
  expect(detail.lines[1]).toMatchObject({ level: 'info', fields: { password: hidden, chunk: '[Redacted]' } });
  expect(detail.failure).toMatchObject({ name: hidden, message: hidden });
  const list = await (await fetch(new URL('jobs', inspector.url as string))).text();
  expect(list).not.toContain('stop here');
  expect(JSON.stringify(detail)).not.toMatch(/hunter2|4111/);
  // The log itself is as the app set it up.
  expect(written.join()).toContain('hunter2');
});

test('a long text is cut, and a payload without end is not even read', async () => {
  expect((await detailOf('x'.repeat(5_000))).input).toMatchObject({
    text: expect.stringMatching(/^x{2000}… \(5000 characters\)$/),
  });
  expect((await detailOf('x'.repeat(1_000_000))).input).toMatch(
    /^\(1000\d+ characters, too many to be shown\)$/,
  );
});

test('when the inspector is closed, the log is tapped no more', async () => {
  await inspector.close();
  const before = written.length;
  const job = await processor.submit('secretive', { password: '', text: '', card: { number: '' } });
  await job.result().catch(() => {});
  expect(written.length).toBeGreaterThan(before);
  inspector = await processor.inspect();
  const detail = await (await fetch(new URL(`jobs/${job.id}`, inspector.url as string))).json();
  expect((detail as JobDetail).lines).toEqual([]);
});

test('paths of payloads do not touch what the job itself is', async () => {
  await using named = await processor.inspect({ redact: ['id', 'name', '*.id'] });
  const job = await processor.submit('secretive', { password: '', text: '', card: { number: '' } });
  await job.result().catch(() => {});
  const { jobs: listed } = (await (await fetch(new URL('jobs', named.url as string))).json()) as {
    jobs: { id: string; name: string }[];
  };
  expect(listed).toMatchObject([{ id: job.id, name: 'secretive' }]);
});

test('lines are shown as they were meant, whatever the logger is set to write', async () => {
  const odd = new JobProcessor({
    engine: 'memory',
    jobs: {
      talks: defineJob({
        run: (_: null, { log }) => {
          log.error('disk is full');
          log.warn({ long: 'x'.repeat(10_000) }, 'and long');
        },
      }),
    },
    logger: pino(
      {
        messageKey: 'message',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write() {} },
    ).child({ jobId: 'of the app' }),
  });
  await odd.start();
  await using looked = await odd.inspect();
  const job = await odd.submit('talks', null);
  await job.result();
  const detail = (await (await fetch(new URL(`jobs/${job.id}`, looked.url as string))).json()) as JobDetail;
  expect(detail.lines).toMatchObject([
    { level: 'info', msg: `job ${job.id} running` },
    { level: 'error', msg: 'disk is full', at: expect.any(Number) },
    { level: 'warn', msg: 'and long', fields: { long: expect.stringMatching(/^x{1000}…$/) } },
    { level: 'info' },
  ]);
  await odd.stop();
});

test('a list shows a line of each job, however much its failure says', async () => {
  const loud = new JobProcessor({
    engine: 'memory',
    jobs: { loud: defineJob({ run: (_: null) => Promise.reject(new Error('x'.repeat(60_000))) }) },
    logger: pino({ level: 'silent' }),
  });
  await loud.start();
  await using looked = await loud.inspect();
  const all = await loud.submitMany('loud', Array<null>(100).fill(null));
  await Promise.allSettled(all.map((job) => job.result()));
  const { byteLength } = await (await fetch(new URL('jobs?limit=500', looked.url as string))).arrayBuffer();
  expect(byteLength).toBeLessThan(200_000);
  await loud.stop();
});

test.each([
  ['no array', 'password'],
  ['no path', ['a[']],
])('paths that are %s are refused', async (_, redact) => {
  await expect(processor.inspect({ redact: redact as string[] })).rejects.toThrow(ConfigurationError);
});

test('lines are bounded: the last of a job, the latest jobs', () => {
  const lines = new JobLines();
  const say = (id: string, msg: string) => lines.add(JSON.stringify({ jobId: id, job: 'x', msg }));
  for (let n = 0; n < 150; n += 1) say('chatty', `line ${n}`);
  expect(lines.of('chatty')).toHaveLength(100);
  expect(lines.of('chatty').at(-1)).toContain('line 149');
  for (let n = 0; n < 10_000; n += 1) say(`job-${n}`, 'x'.repeat(3000));
  expect(lines.of('chatty')).toEqual([]);
  expect(lines.of('job-9999')).toHaveLength(1);
  let kept = 0;
  for (let n = 0; n < 10_000; n += 1) for (const line of lines.of(`job-${n}`)) kept += line.length;
  expect(kept).toBeLessThanOrEqual(4_000_000);
  say('loud', 'x'.repeat(100_000));
  expect(lines.of('loud')[0]).toMatch(/^{"jobId":"loud","job":"x","msg":"x{1000}…","length":1000\d+}$/);
});

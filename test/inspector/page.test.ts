// The live page as an operator meets it, in a real browser.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import type { Inspector } from '../../src/inspector/inspector.ts';
import { hasBrowser, OpenBrowser } from '../support/browser.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

let finish: () => void;
const jobs = {
  hold: defineJob({
    run: (_: null, { signal }) =>
      new Promise<void>((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  }),
  deaf: defineJob({ run: (_: null) => new Promise(() => {}) }),
  steps: defineChunkedJob({
    start: 0,
    total: (count: number) => count,
    async *chunks(count: number, { checkpoint }) {
      for (let n = checkpoint; n < count; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        yield [n];
      }
    },
    process([n = 0], { log }) {
      log.info({ step: n }, `step ${n}`);
      return n + 1;
    },
  }),
};

describe.skipIf(!hasBrowser)('the live page', () => {
  let browser: OpenBrowser;
  let processor: JobProcessor<typeof jobs>;
  let inspector: Inspector;
  let engine: MemoryEngine;
  let log: CapturedLog;
  let page: Page;
  const open = async (at: Page, withToken = true) => {
    await at.goto(`${inspector.url}${withToken ? `#token=${inspector.token}` : ''}`);
    await at.getByText(/\d+ alive/).waitFor();
  };
  beforeAll(async () => {
    browser = await OpenBrowser.launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  beforeEach(async () => {
    log = capturedLog();
    engine = new MemoryEngine();
    processor = await new JobProcessor({
      engine,
      jobs,
      nodeName: 'web-1',
      logger: log.logger,
      maxConcurrentJobs: 2,
      graceSeconds: 0.5,
    }).start();
    inspector = await processor.inspect();
    page = await browser.page();
  });
  afterEach(async () => {
    await page.context().close();
    await inspector.close();
    finish?.();
    await processor.stop();
    expect(browser.errors.splice(0)).toEqual([]);
  });
  const view = (name: string) => page.getByRole('button', { name, exact: true }).click();

  test('a job goes through its states, its token is not left in the address', async () => {
    await open(page);
    expect(page.url()).toBe(inspector.url);
    const job = await processor.submit('steps', 20);
    await page.getByText(/running · for .* chunks · \d+ %/).waitFor();
    await page.getByRole('button', { name: new RegExp(job.id) }).click();
    await page
      .getByRole('definition')
      .filter({ hasText: /^completed$/ })
      .waitFor();
    await page.getByText('20 chunks, 20 of 20 items').waitFor();
    const states = await page.getByRole('row').locator('td:first-child').allTextContents();
    expect(states).toEqual(['queued', 'running', 'completed']);
    // What it was given, has stored and has said.
    expect(await page.getByRole('region', { name: 'input' }).textContent()).toBe('20');
    expect(await page.getByRole('region', { name: 'checkpoint' }).textContent()).toBe('20');
    await page.getByRole('listitem').filter({ hasText: 'info step 19 {"step":19}' }).waitFor();
    // Its own chart says where it is.
    await page.locator('.chart .is').getByText('completed').waitFor();
    await view('Chart');
    await page.getByRole('button', { name: 'completed 1 jobs' }).click();
    await page.getByRole('button', { name: job.id }).waitFor();
    // A view has an address of its own, and the way back is the browser's.
    expect(page.url()).toBe(`${inspector.url}#Jobs/completed`);
    await page.goBack();
    await page.goBack();
    expect(page.url()).toBe(`${inspector.url}#job/${job.id}`);
    await page.reload();
    await page.getByText('20 chunks, 20 of 20 items').waitFor();
  });

  test('what hangs is seen stopping on its rung, and then for what it is', async () => {
    await open(page);
    await processor.submit('deaf', null, { jobTimeoutSeconds: 1, graceSeconds: 1.5 });
    await page.getByText(/times out: job in/).waitFor();
    await page.getByText(/stopping · rung grace/).waitFor();
    await page.getByText('could not be proven stopped and holds its slot').waitFor();
    await page.getByRole('status').filter({ hasText: 'degraded' }).waitFor();
  });

  test('cancel asks first, ends the job, and is logged with who asked', async () => {
    const job = await processor.submit('hold', null);
    await open(page);
    await page.getByRole('button', { name: new RegExp(job.id) }).click();
    await view('Cancel');
    await view('No');
    expect((await job.status()).state).toBe('running');
    await view('Cancel');
    await view('Yes, cancel it');
    await page.getByText('cancel: now cancelled').waitFor();
    expect((await job.status()).state).toBe('cancelled');
    expect(log.lines.join('\n')).toMatch(
      /WARN: cancel of job \S+ asked for on the page by the page at 127\.0\.0\.1/,
    );
    await view('Retry');
    await view('Yes, retry it');
    await page.getByText(`retry of${job.id}`).or(page.getByText(job.id)).first().waitFor();
  });

  test('without the token it shows everything and changes nothing', async () => {
    const job = await processor.submit('hold', null);
    await open(page, false);
    await page.getByRole('button', { name: new RegExp(job.id) }).click();
    await view('Time out now');
    await view('Yes, time it out');
    await page.getByText('token: expected the one that was printed at the start, got none.').waitFor();
    expect((await job.status()).state).toBe('running');
    // The browser says so too, for each answer that is an error.
    expect(browser.errors.splice(0)).toEqual([expect.stringContaining('401')]);
  });

  test('it says when the server is gone, and goes on when it is back', async () => {
    await open(page);
    const { port } = new URL(inspector.url as string);
    await inspector.close();
    await page.getByText('not connected, trying again').waitFor();
    inspector = await processor.inspect({ port: Number(port) });
    await page.getByRole('status').filter({ hasText: 'ok' }).waitFor();
    browser.errors.length = 0;
  });

  test('an address that is none shows the page, and the token counts where the page was open already', async () => {
    await open(page, false);
    for (const hash of ['#token=%', '#Jobs/%', '#job/%E0%A4%A', '#nonsense']) {
      await page.goto(`${inspector.url}${hash}`);
      await page.getByRole('button', { name: 'Now', exact: true }).waitFor();
    }
    browser.errors.length = 0;
    await page.goto(`${inspector.url}#Now`);
    const job = await processor.submit('hold', null);
    await page.goto(`${inspector.url}#token=${inspector.token}`);
    await page.getByRole('button', { name: new RegExp(job.id) }).click();
    expect(page.url()).not.toContain(inspector.token);
    await view('Cancel');
    await view('Yes, cancel it');
    await page.getByText('cancel: now cancelled').waitFor();
  });

  test('what jobs say of themselves is text, and never a part of the page', async () => {
    const evil = '<img src=x onerror="document.title=1">';
    const job = await processor.submit('hold', null, { idempotencyKey: evil, concurrencyKey: evil });
    await open(page);
    await page.getByRole('button', { name: new RegExp(job.id) }).click();
    await job.cancel(evil);
    await page.getByText(evil).first().waitFor();
    expect(await page.title()).toBe('Unstuck');
    expect(await page.locator('main img').count()).toBe(0);
  });

  test('an attempt that could not be stopped holds its slot in plain sight, though its job is over', async () => {
    await open(page);
    await processor.submit('deaf', null, { jobTimeoutSeconds: 0.5, graceSeconds: 0.1 });
    await page.getByText('could not be proven stopped, holds its slot').waitFor();
    await page.getByText('1 alive, 2 slots').waitFor();
    await view('Health');
    await page.getByText('1 of 2').waitFor();
    await page.getByRole('definition').filter({ hasText: 'job: 1' }).waitFor();
  });

  test('which node runs what is seen from any of them: what is alive elsewhere, and which are gone', async () => {
    const other = await new JobProcessor({
      ...{ engine, jobs: { elsewhere: jobs.steps }, nodeName: 'web-2', logger: log.logger },
    }).start();
    const gone = { id: 'g', name: 'web-<b>3</b>', host: 'rack', pid: 7, version: '0.0.1', isDraining: false };
    const lastFailure = { at: Date.now(), message: 'no way to it' };
    await engine.nodeSeen(
      {
        ...{ ...gone, lastFailure, jobs: [], startedAt: 0, slots: { max: 9, used: 1, unconfirmed: 1 } },
        health: { status: 'ok', reasons: [] },
      },
      0,
      60_000,
    );
    const here = await processor.submit('hold', null);
    const job = await other.submit('elsewhere', 1000);
    await open(page);
    await page.getByText('1 alive, 2 slots on web-1').waitFor();
    await view('Nodes');
    const node = (name: string) => page.getByRole('region', { name: `node ${name}` });
    await node('web-1').getByRole('button', { name: here.id }).waitFor();
    await node('web-1')
      .getByText(/1 of 2 slots · hold 1 · /)
      .waitFor();
    await node('web-3').waitFor({ state: 'detached' });
    const third = node(gone.name);
    await third.getByText('gone', { exact: true }).waitFor();
    await third.getByText(/2 of 9 slots · runs nothing · rack, process 7, Unstuck 0\.0\.1/).waitFor();
    await third.getByText(/its engine failed .* ago: no way to it/).waitFor();
    // Read again and again, as stored: its chunks are seen to go on.
    const lane = node('web-2').getByRole('listitem').filter({ hasText: job.id });
    await lane.getByText(/running · for .* · attempt 1 · [1-9]\d? chunks .* last heartbeat/).waitFor();
    await lane.getByText(/ [1-9]\d\d? chunks/).waitFor();
    const chunks = async () => Number(/(\d+) chunks/.exec((await lane.textContent()) ?? '')?.[1]);
    const before = await chunks();
    await expect.poll(chunks, { timeout: 10_000 }).toBeGreaterThan(before);
    await lane.getByRole('button').click();
    await page
      .getByRole('definition')
      .filter({ hasText: /^web-2$/ })
      .waitFor();
    const stopped = other.stop();
    await view('Nodes');
    await node('web-2').waitFor({ state: 'detached', timeout: 15_000 });
    await stopped;
    expect((await (await processor.get(job.id)).status()).node).not.toBe('web-2');
  });

  test('a list goes on page by page, and filters on the server', async () => {
    await processor.submitMany('steps', Array<number>(120).fill(0));
    await open(page);
    await view('Jobs');
    const rows = page.getByRole('row');
    await expect.poll(() => rows.count()).toBe(51);
    await view('More');
    await expect.poll(() => rows.count()).toBe(101);
    await page.getByLabel('name').fill('nothing');
    await page.getByLabel('name').blur();
    await page.getByText('None.').waitFor();
    const keyed = await processor.submit('steps', 0, { idempotencyKey: 'invoice 7' });
    await page.getByLabel('name').fill('');
    await page.getByLabel('key').fill('invoice 7');
    await page.getByLabel('key').blur();
    await expect.poll(() => rows.count()).toBe(2);
    await page.getByRole('button', { name: keyed.id }).click();
    await page.getByRole('definition').filter({ hasText: 'invoice 7' }).waitFor();
  });

  test('what is typed into a filter stays while the page hears news', async () => {
    await open(page);
    await view('Jobs');
    await page.getByLabel('name').pressSequentially('noth');
    await page.evaluate(`new Promise((heard) => {
      const source = new EventSource('events');
      let messages = 0;
      source.onmessage = () => {
        messages += 1;
        if (messages === 4) heard(source.close());
      };
    })`);
    expect(await page.getByLabel('name').inputValue()).toBe('noth');
  });

  test('each view can be used without eyes: no violation that axe knows, light, dark and on a phone', async () => {
    const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
    await processor.submit('hold', null, { deadlineSeconds: 60 });
    const done = await processor.submit('steps', 1);
    await done.result();
    for (const look of [
      { colorScheme: 'light' as const },
      { colorScheme: 'dark' as const },
      { colorScheme: 'dark' as const, viewport: { width: 360, height: 740 } },
    ]) {
      // The page's own rules allow no foreign script: axe is let in for this one.
      const looked = await browser.page({ ...look, bypassCSP: true });
      await open(looked);
      for (const name of ['Now', 'Nodes', 'Chart', 'Jobs', 'Health', 'job']) {
        if (name === 'job') {
          await looked.getByRole('button', { name: 'Jobs', exact: true }).click();
          await looked.getByRole('button', { name: done.id }).click();
          await looked.getByText('History').waitFor();
        } else await looked.getByRole('button', { name, exact: true }).click();
        await looked.evaluate(axe);
        const found = await looked.evaluate(
          'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))',
        );
        expect({ name, look, found }).toEqual({ name, look, found: [] });
        const isTooWide = await looked.evaluate('document.documentElement.scrollWidth > innerWidth');
        expect({ name, look, isTooWide }).toEqual({ name, look, isTooWide: false });
      }
      await looked.context().close();
    }
  });
});

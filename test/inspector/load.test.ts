// A thousand live jobs that beat each second, and the page open on them: it stays smooth, and so does the processor.

import type { CDPSession, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { hasBrowser, OpenBrowser } from '../support/browser.ts';
import { capturedLog } from '../support/capturedLog.ts';

const jobs = {
  hold: defineJob({
    run: (_: null, { signal }) =>
      new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
};

/** Part of the time in which the page's only thread was busy. */
async function busyShare(page: Page, session: CDPSession, ms: number): Promise<number> {
  const busySeconds = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
  const [before, beganAt] = [await busySeconds(), performance.now()];
  await page.waitForTimeout(ms);
  return ((await busySeconds()) - before) / ((performance.now() - beganAt) / 1000);
}

/** By the times that the messages themselves bear. */
async function messagesASecond(url: string): Promise<number> {
  const stop = new AbortController();
  const { body } = await fetch(new URL('events', url), { signal: stop.signal });
  const times: number[] = [];
  let text = '';
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    times.push(...[...text.matchAll(/"at":(\d+),"limit"/g)].map(([, at]) => Number(at)));
    text = text.slice(text.lastIndexOf('\n\n') + 1);
    if (times.length > 12) break;
  }
  stop.abort();
  return (times.length - 1) / (((times.at(-1) as number) - (times[0] as number)) / 1000);
}

describe.skipIf(!hasBrowser)('a thousand live jobs', () => {
  test('keep the page smooth at a heartbeat a second', async () => {
    const processor = await new JobProcessor({
      engine: 'memory',
      jobs,
      logger: capturedLog().logger,
      maxConcurrentJobs: 1000,
    }).start();
    await using inspector = await processor.inspect();
    await using browser = await OpenBrowser.launch();
    await processor.submitMany('hold', Array<null>(1000).fill(null));
    const beats = setInterval(() => {
      for (const id of processor.activeJobs.keys()) processor.heartbeat(id);
    }, 1000);
    const page = await browser.page();
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    await page.goto(inspector.url as string);
    await page.getByText('1000 alive, 1000 slots').waitFor();
    // A quarter on a quiet machine of two cores, what it draws included; a machine may be three times slower.
    expect(await busyShare(page, session, 6000)).toBeLessThan(0.85);
    expect(await messagesASecond(inspector.url as string)).toBeLessThan(10);
    for (const name of ['Nodes', 'Chart', 'Jobs', 'Health', 'Now'])
      await page.getByRole('button', { name, exact: true }).click();
    await page
      .getByText(/last heartbeat .* ago/)
      .first()
      .waitFor();
    expect(browser.errors).toEqual([]);
    clearInterval(beats);
    await processor.stop();
  });
});

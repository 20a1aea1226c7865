// npm run screenshots: writes docs/images, each view of the live page in light, dark and on a phone, from a processor
// that has something to show. To be looked at, whenever the page changes.

import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { defineChunkedJob, defineJob, JobProcessor } from '../src/index.ts';
import { hasBrowser, OpenBrowser } from '../test/support/browser.ts';

if (!hasBrowser) throw new Error('no Chromium is installed: apt-get install -y chromium');
const folder = fileURLToPath(new URL('../docs/images/', import.meta.url));
mkdirSync(folder, { recursive: true });

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const processor = await new JobProcessor({
  engine: 'memory',
  logger: pino({}, { write() {} }),
  maxConcurrentJobs: 5,
  graceSeconds: 60,
  jobs: {
    reconcile: defineChunkedJob({
      start: 0,
      total: ({ count }: { count: number; token: string }) => count,
      async *chunks({ count }, { checkpoint }) {
        for (let n = checkpoint; n < count; n += 10) {
          await rest(300);
          yield Array.from({ length: 10 }, (_, index) => n + index);
        }
      },
      process(chunk, { checkpoint, log }) {
        log.info({ rows: chunk.length }, `compared the rows from ${checkpoint}`);
        return checkpoint + chunk.length;
      },
    }),
    report: defineJob({ run: () => rest(200) }),
    hangs: defineJob({ run: (_: null) => new Promise(() => {}) }),
    fails: defineJob({
      run: () => {
        throw new Error('the ledger has no such account');
      },
    }),
  },
}).start();

const shown = await processor.submit('reconcile', { count: 2000, token: 'secret' }, { deadlineSeconds: 600 });
await processor.submit('hangs', null, { jobTimeoutSeconds: 3, retry: { maxAttempts: 2 } });
await processor.submit('hangs', null, { jobTimeoutSeconds: 20 });
await processor.submitMany('report', Array<undefined>(40).fill(undefined));
await processor.submit('fails', undefined);
const inspector = await processor.inspect({ redact: ['token'] });
await rest(5000);
await using browser = await OpenBrowser.launch();
const looks = {
  light: { colorScheme: 'light' as const, viewport: { width: 1200, height: 800 } },
  dark: { colorScheme: 'dark' as const, viewport: { width: 1200, height: 800 } },
  phone: { colorScheme: 'light' as const, viewport: { width: 390, height: 800 } },
};
for (const [look, options] of Object.entries(looks)) {
  const page = await browser.page(options);
  await page.goto(`${inspector.url}#token=${inspector.token}`);
  await page.getByText(/\d+ alive/).waitFor();
  for (const view of ['Now', 'Chart', 'Jobs', 'Health', 'job']) {
    if (view === 'job') {
      await page.getByRole('button', { name: 'Now', exact: true }).click();
      await page.getByRole('button', { name: new RegExp(shown.id) }).click();
    } else await page.getByRole('button', { name: view, exact: true }).click();
    await rest(1500);
    await page.screenshot({ path: `${folder}${view.toLowerCase()}-${look}.png`, fullPage: view === 'job' });
  }
  await page.context().close();
}
await inspector.close();
process.exit(0);

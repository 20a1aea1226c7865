// report.html as a person meets it, in a real browser: it loads nothing, runs nothing that stands in the files, says the
// same without JavaScript, and can be used on a phone, in the dark and by keyboard.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import { titleOf } from '../../src/reconciliation/pageFacts.ts';
import { hasBrowser, OpenBrowser } from '../support/browser.ts';
import { reconcile } from './driver.ts';
import { testFolder } from './folder.ts';

const evil = `</script><img src=x onerror="document.title='taken'">`;

describe.skipIf(!hasBrowser)('the report for people', () => {
  let browser: OpenBrowser;
  const requests: string[] = [];
  beforeAll(async () => {
    browser = await OpenBrowser.launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  afterEach(() => {
    expect(browser.errors.splice(0)).toEqual([]);
    expect(requests.splice(0)).toEqual([]);
  });

  async function open(path: string, options: Parameters<OpenBrowser['page']>[0] = {}): Promise<Page> {
    const page = await browser.page(options);
    const url = pathToFileURL(path).href;
    page.on('request', (request) => {
      if (request.url() !== url) requests.push(request.url());
    });
    await page.goto(url);
    return page;
  }

  async function sampleReport(rows = 3000) {
    const folder = testFolder();
    const sample = generateSample({ rows, seed: 12 });
    const summary = await reconcile({
      left: folder.write('bank.csv', sample.left),
      right: folder.write('ledger.csv', sample.right),
      ...{ key: ['id'], out: folder.path('out') },
    });
    return { folder, summary, path: folder.path('out/report.html') };
  }
  const grouped = (n: number) => new Intl.NumberFormat('en-US').format(n);

  test('shows the totals of the run, a bar a side, and where the differences lie', async () => {
    const { path, summary } = await sampleReport();
    const page = await open(path);
    await page.getByRole('heading', { name: 'bank.csv and ledger.csv' }).waitFor();
    const cells = async (name: string) =>
      await page
        .getByRole('region', { name: 'Totals' })
        .getByRole('row', { name })
        .locator('td')
        .allTextContents();
    expect((await cells('mismatched'))[0]).toBe(grouped(summary.mismatched));
    expect((await cells('only here'))[2]).toBe(grouped(summary.onlyRight));
    expect((await cells('rows'))[0]).toBe(grouped(summary.left));
    const bars = page.locator('#totals > svg');
    expect(await bars.count()).toBe(2);
    // The parts of a bar are as wide as the numbers say, one after the other.
    const shown = await bars
      .first()
      .locator('rect')
      .evaluateAll((parts) =>
        parts.map((part) => [part.getAttribute('class'), part.getBoundingClientRect().width]),
      );
    const width = (await bars.first().boundingBox())!.width;
    const share = (name: string) => (shown.find(([part]) => part === name)![1] as number) / width;
    expect(share('matched')).toBeCloseTo(summary.matched / summary.left, 2);
    expect(share('duplicates')).toBeCloseTo(summary.duplicateRows.left / summary.left, 2);
    const amount = page
      .getByRole('region', { name: 'Differences by column' })
      .getByRole('row', { name: /^amount/ });
    expect(await amount.locator('td').first().textContent()).toBe(grouped(summary.columns.amount!));
  });

  test('a table is filtered and put in order, by keyboard alone', async () => {
    const { path, summary } = await sampleReport();
    const page = await open(path);
    const region = page.getByRole('region', { name: 'Differences', exact: true });
    const rows = region.locator('tbody tr:visible');
    const all = await rows.count();
    expect(all).toBe(Object.values(summary.columns).reduce((sum, n) => sum + n));
    const section = page.locator('#differences');
    await section.getByRole('searchbox', { name: 'Rows with' }).focus();
    await page.keyboard.type('AMOUNT');
    await section
      .getByRole('status')
      .filter({ hasText: `${grouped(summary.columns.amount!)} of ${grouped(all)}` })
      .waitFor();
    expect(await rows.count()).toBe(summary.columns.amount);
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    expect(await rows.count()).toBe(all);

    const largest = page.getByRole('region', { name: 'Largest differences' });
    const column = async () => (await largest.locator('tbody td:last-child').allTextContents()).map(Number);
    const before = await column();
    expect(before).toEqual([...before].sort((a, b) => b - a));
    await largest.getByRole('button', { name: 'difference' }).focus();
    await page.keyboard.press('Enter');
    expect(await column()).toEqual([...before].sort((a, b) => a - b));
    expect(await largest.getByRole('columnheader', { name: 'difference' }).getAttribute('aria-sort')).toBe(
      'ascending',
    );
    await page.keyboard.press('Space');
    await page.keyboard.press('Space');
    expect(await column()).toEqual(before);
    expect(
      await largest.getByRole('columnheader', { name: 'difference' }).getAttribute('aria-sort'),
    ).toBeNull();
  });

  test('the first rows of many are there, how many is said, and the whole file is linked', async () => {
    const folder = testFolder();
    const ids = Array.from({ length: 1500 }, (_, n) => n + 1);
    await reconcile({
      left: folder.write('left.csv', `id,v\n${ids.map((n) => `${n},${n}`).join('\n')}\n`),
      right: folder.write('right.csv', `id,v\n${ids.map((n) => `${n},${n * 2}`).join('\n')}\n`),
      ...{ key: ['id'], out: folder.path('out'), format: 'jsonl' },
    });
    const page = await open(folder.path('out/report.html'));
    const section = page.locator('#differences');
    await section.getByText('The first 1,000 of 1,500.').waitFor();
    expect(await section.locator('tbody tr').count()).toBe(1000);
    const link = section.getByRole('link', { name: 'differences.jsonl' });
    expect(await link.getAttribute('href')).toBe('differences.jsonl');
    // Of 1 500 differences from 1 to 1 500 the largest twenty.
    const largest = await page.locator('#largest tbody td:last-child').allTextContents();
    expect(largest).toEqual(Array.from({ length: 20 }, (_, n) => String(1500 - n)));
  });

  test('what stands in files and names is text: it is shown, never run, and NULL is not the empty text', async () => {
    const folder = testFolder();
    const quoted = `"${evil.replaceAll('"', '""')}"`;
    const left = folder.write(`<b>&"left".csv`, `id,${quoted},v\n1,${quoted},\n2,a\u202eb,"x\ny"\n`);
    const right = folder.write('right.csv', `id,${quoted},v\n1,z,""\n2,b,q\n${quoted},n,n\n`);
    await reconcile({ left, right, key: ['id'], out: folder.path('out') });
    const page = await open(folder.path('out/report.html'));
    expect(await page.title()).toContain('<b>&"left".csv');
    expect(await page.locator('img, b').count()).toBe(0);
    const row = page.locator('#differences tbody tr').nth(1);
    const texts = await page
      .locator('#differences tbody tr')
      .evaluateAll((rows) =>
        rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)),
      );
    expect(texts).toEqual([
      ['1', evil, evil, 'z'],
      ['1', 'v', 'NULL', 'empty'],
      ['2', evil, 'a\\u202eb', 'b'],
      ['2', 'v', 'x\ny', 'q'],
    ]);
    expect(await row.locator('.none').count()).toBe(1);
    expect(await page.locator('#only-right tbody td').first().textContent()).toBe(evil);
    // Nothing gets in beside what the page brought: the policy refuses it.
    const policy = await page.locator('meta[http-equiv]').getAttribute('content');
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'$/,
    );
    await page.evaluate(
      `const script = document.createElement('script'); script.textContent = "document.title = 'taken'"; document.body.append(script)`,
    );
    expect(await page.title()).not.toBe('taken');
    expect(browser.errors.splice(0)).toEqual([expect.stringContaining('Content Security Policy')]);
  });

  test('without JavaScript it says the same', async () => {
    const { path } = await sampleReport(500);
    const [on, off] = [await open(path), await open(path, { javaScriptEnabled: false })];
    const texts = (page: Page) => page.locator('main td').allTextContents();
    expect((await texts(off)).length).toBeGreaterThan(50);
    expect(await texts(off)).toEqual(await texts(on));
    expect(await off.locator('button, input').count()).toBe(0);
  });

  test.each(['light', 'dark'] as const)(
    'on a phone, %s, nothing is wider than it, and nobody is left out',
    async (colorScheme) => {
      const { path } = await sampleReport(800);
      const page = await open(path, { viewport: { width: 360, height: 740 }, colorScheme });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width).toBe(360);
      const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(background).toBe(colorScheme === 'dark' ? 'rgb(20, 23, 29)' : 'rgb(255, 255, 255)');
      // From outside the page's policy.
      await page.evaluate(
        readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
      );
      const violations = await page.evaluate(async () => {
        // biome-ignore lint/suspicious/noExplicitAny: axe, in the page.
        const { violations } = await (globalThis as any).axe.run();
        return violations.map(
          ({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id}: ${nodes[0]?.html}`,
        );
      });
      expect(violations).toEqual([]);
    },
  );
});

test('a source is named without its path, its user, its password and its query', () => {
  expect(titleOf('/home/anna/secret project/bank.csv')).toBe('bank.csv');
  expect(titleOf('postgres://anna:pa%40ss@db.example:5433/books?table=public.entries&sslpassword=x')).toBe(
    'postgres://db.example:5433/books public.entries',
  );
  expect(titleOf('postgres://anna:pass@db/books?query=SELECT+1')).toBe('postgres://db/books');
});

test('where all matches the report says so, and the same run gives the same bytes', async () => {
  const folder = testFolder();
  const file = folder.write('a.csv', 'id,v\n1,x\n2,y\n');
  const run = (out: string) => reconcile({ left: file, right: file, key: ['id'], out: folder.path(out) });
  await run('one');
  await run('two');
  const page = folder.read('one/report.html');
  expect(page).toContain('Everything matches.');
  expect(page).not.toContain('Differences by column');
  expect(page).toBe(folder.read('two/report.html'));
  expect(page).not.toContain(folder.path(''));
});

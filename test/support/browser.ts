// The system's Chromium, for tests of pages. Where there is none they are skipped, and the count says so.

import { existsSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);

export const hasBrowser = executablePath !== undefined;

export class OpenBrowser implements AsyncDisposable {
  readonly #browser: Awaited<ReturnType<typeof chromium.launch>>;
  /** What pages said that they should not: errors on the console, uncaught errors. */
  readonly errors: string[] = [];

  private constructor(browser: Awaited<ReturnType<typeof chromium.launch>>) {
    this.#browser = browser;
  }

  static async launch(): Promise<OpenBrowser> {
    return new OpenBrowser(await chromium.launch({ executablePath, args: ['--no-sandbox'] }));
  }

  async page(options: Parameters<OpenBrowser['newContext']>[0] = {}): Promise<Page> {
    const page = await (await this.newContext(options)).newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(error.message));
    return page;
  }

  newContext(options: NonNullable<Parameters<Awaited<ReturnType<typeof chromium.launch>>['newContext']>[0]>) {
    return this.#browser.newContext(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

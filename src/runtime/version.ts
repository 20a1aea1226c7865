// Which unstuck this is.

import { readFileSync } from 'node:fs';

/** The same path from src and from dist. */
export function unstuckVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

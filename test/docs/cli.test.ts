// docs/cli.md has each command and each option, in the words of --help.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cliHelp, cliPage } from '../../scripts/cliPage.ts';
import { withMarked } from '../../scripts/marked.ts';
import { root } from './markdown.ts';

test('docs/cli.md is what --help says today (else: npm run cli-page)', () => {
  const text = readFileSync(cliPage, 'utf8');
  expect(text).toContain(cliHelp());
  expect(withMarked(text, 'help', cliHelp())).toBe(text);
});

test('that is what the command line itself prints', () => {
  const said = execFileSync(process.execPath, [join(root, 'bin/unstuck.js'), 'submit', '--help'], {
    encoding: 'utf8',
  });
  const words = (text: string) =>
    text
      .split(/\s+/)
      .filter((word) => word !== '')
      .join(' ');
  expect(words(cliHelp())).toContain(words(said));
});

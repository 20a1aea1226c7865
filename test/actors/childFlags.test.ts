// Which of an app's own flags its children get.

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** As an app sees them that was started with these. */
function flagsOf(given: string[]): { process: string[]; thread: string[] } {
  const module = new URL('../../src/actors/isolation/childFlags.ts', import.meta.url);
  const script = `
    const { processFlags, threadFlags } = await import('${module}');
    console.log(JSON.stringify({ process: processFlags, thread: threadFlags }));
  `;
  const said = execFileSync(process.execPath, [...given, '--input-type=module', '--eval', script], {
    encoding: 'utf8',
    cwd: '/',
  });
  return JSON.parse(said);
}

test('how modules are loaded is passed on to all, the limits of a process to processes, what is to be run to none', () => {
  const { process: forProcesses, thread } = flagsOf([
    '--conditions',
    'development',
    '--max-old-space-size=200',
    '--max-http-header-size',
    '16384',
    '--no-warnings',
    '--enable-source-maps',
  ]);
  expect(thread).toEqual(['--conditions', 'development', '--no-warnings', '--enable-source-maps']);
  expect(forProcesses).toEqual([
    ...['--conditions', 'development', '--max-old-space-size=200', '--max-http-header-size', '16384'],
    ...['--no-warnings', '--enable-source-maps'],
  ]);
});

test('a relative path counts from where the app was started', () => {
  const { thread } = flagsOf(['--import', './dev/null', '--import=./dev/null']);
  expect(thread).toEqual(['--import', '/dev/null', '--import=/dev/null']);
});

// One run of chosen tests in the copy, within a bound on its time: which of them failed, or that it never ended.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Catcher } from './plant.ts';
import type { PlantedCopy } from './plantedCopy.ts';

export interface TestRun extends Catcher {
  /** Its whole name. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed';
  readonly ms: number;
}

export interface TrialResult {
  readonly tests: readonly TestRun[];
  /** Files that could not be loaded, and why: such a trial shows nothing. */
  readonly broken: readonly string[];
  /** It was ended at its bound. */
  readonly hung: boolean;
  readonly ms: number;
}

interface JsonReport {
  testResults: {
    name: string;
    message: string;
    assertionResults: { title: string; ancestorTitles: string[]; status: string; duration?: number }[];
  }[];
}

let running: ChildProcess | null = null;

/** Ends the run that is under way, if one is. */
export function endTrial(): void {
  if (running?.pid !== undefined) process.kill(-running.pid, 'SIGKILL');
}

export async function runTests(
  copy: PlantedCopy,
  wanted: readonly Catcher[],
  boundMs: number,
): Promise<TrialResult> {
  const outputFile = join(copy.path, 'trial.json');
  rmSync(outputFile, { force: true });
  const files = [...new Set(wanted.map(({ file }) => file))];
  const names = [...new Set(wanted.map(({ test }) => escaped(test)))];
  const began = performance.now();
  const vitest = spawn(
    process.execPath,
    [
      ...['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/mutation/plants.vitest.ts'],
      ...['--reporter=json', `--outputFile=${outputFile}`, '-t', names.join('|'), ...files],
    ],
    // A group of its own: ended whole, and not by the Ctrl-C that is ours.
    { cwd: copy.path, detached: true, stdio: 'ignore' },
  );
  running = vitest;
  let hung = false;
  const bound = setTimeout(() => {
    hung = true;
    endTrial();
  }, boundMs);
  await new Promise((resolve) => vitest.once('exit', resolve));
  clearTimeout(bound);
  running = null;
  copy.endStrays();
  const ms = performance.now() - began;
  if (hung) return { tests: [], broken: [], hung, ms };
  const { testResults } = JSON.parse(readFileSync(outputFile, 'utf8')) as JsonReport;
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.flatMap(({ title, ancestorTitles, status, duration = 0 }): TestRun[] => {
      const file = relative(copy.path, name) as Catcher['file'];
      if (status !== 'passed' && status !== 'failed') return [];
      return [
        { file, test: title, name: [...ancestorTitles, title].join(' > '), outcome: status, ms: duration },
      ];
    }),
  );
  const broken = testResults
    .filter(({ assertionResults }) => assertionResults.length === 0)
    .map(({ name, message }) => `${relative(copy.path, name)}: ${message}`);
  return { tests, broken, hung, ms };
}

/** Of a run, the tests that this one means. */
export function meant(tests: readonly TestRun[], { file, test }: Catcher): TestRun[] {
  return tests.filter((run) => run.file === file && run.name.includes(test));
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

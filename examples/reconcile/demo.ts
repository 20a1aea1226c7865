// `npm start`: the sample reconciled, then the same job twice more with a hang planted in it. Each hang is
// noticed and stopped for real, and the job goes on from its last chunk. Ends with 0 only if all of that came
// true, and with 1 and a line that says what did not.

import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { formatDuration } from '../../src/cli/durations.ts';
import { listenForInterruption } from '../../src/cli/interruption.ts';
import { summaryTable } from '../../src/cli/summaryTable.ts';
import type { ReconciliationSummary } from '../../src/reconciliation/index.ts';
import { reconciliation } from '../../src/reconciliation/index.ts';
import endlessLoop from './endlessLoop.ts';
import neverSettles from './neverSettles.ts';
import { createStage } from './stage.ts';

const here = import.meta.dirname;
const reconciled = join(here, '../../reconciled');
mkdirSync(reconciled, { recursive: true });
const out = mkdtempSync(join(reconciled, 'demo-'));
const left = join(here, 'bank.csv');
const right = join(here, 'ledger.csv');
const truth = JSON.parse(readFileSync(join(here, 'truth.json'), 'utf8'));

const stage = createStage(listenForInterruption());

async function demo(): Promise<void> {
  const beganAt = performance.now();
  const input = (folder: string) => ({ left, right, key: ['id'], out: join(out, folder) });
  stage.open('Unstuck: background jobs that cannot get stuck');

  stage.title('1  A bank statement against the ledger', 'examples/reconcile/bank.csv and ledger.csv, by id');
  const plain = await stage.run(reconciliation, input('1-plain'));
  const { summary, seconds } = plain;
  stage.text(summaryTable(summary, { left, right, seconds, attempts: plain.status.attempt }));
  expect('the numbers are those that were planted (truth.json)', matches(summary, truth));
  stage.good('Just the numbers that were planted in the files (truth.json).');

  // Measured on this machine a moment ago, so that a slow one is not taken for a hung one; with room, since the
  // machine may have become slower meanwhile.
  const patience = seconds * 2.5;

  stage.title(
    '2  The same job, with an endless loop in the middle of a chunk',
    'endlessLoop.ts: its process is blocked, and serves no signal handler any more',
  );
  await hung(endlessLoop, 'heartbeat', input('2-endless-loop'), Math.max(3, patience));

  stage.title(
    '3  The same job, awaiting a promise that never settles',
    'neverSettles.ts: its process beats on, alive and stuck; only progress tells',
  );
  await hung(neverSettles, 'progress', input('3-never-settles'), Math.max(4, patience));

  const took = formatDuration((performance.now() - beganAt) / 1000);
  stage.close(`Nothing got stuck: 3 runs, 2 hangs, ${took}. Reports: ${relative(process.cwd(), out)}`);

  async function hung(
    job: typeof reconciliation,
    kind: 'heartbeat' | 'progress',
    at: ReturnType<typeof input>,
    timeoutSeconds: number,
  ) {
    const run = await stage.run(job, at, {
      [`${kind}TimeoutSeconds`]: timeoutSeconds,
      graceSeconds: 1,
      retry: { maxAttempts: 2 },
    });
    const stopped = run.stopped[0];
    expect('the hang was reached', run.hungPid !== null);
    expect(
      `it was noticed by the ${kind} timeout, and by nothing else`,
      run.stopped.length === 1 && stopped?.timeout === kind,
    );
    expect('its stop was proven', stopped?.stop?.confirmed === true);
    expect('its process is gone', !isAlive(run.hungPid));
    expect('the second attempt completed', run.status.attempt === 2);
    expect('it repeated no chunk', run.summary.chunks.run === run.summary.chunks.total);
    expect('its summary is that of the undisturbed run', matches(run.summary, truth));
    stage.good(`The same summary as before, ${run.summary.chunks.total} chunks, none of them run twice.`);
  }
}

const compared = [
  'left',
  'right',
  'matched',
  'mismatched',
  'onlyLeft',
  'onlyRight',
  'duplicateKeys',
  'columns',
] as const;

function matches(summary: ReconciliationSummary, expected: ReconciliationSummary): boolean {
  return compared.every(
    (field) => JSON.stringify(sorted(summary[field])) === JSON.stringify(sorted(expected[field])),
  );
}

function sorted(value: number | object): unknown {
  return typeof value === 'number' ? value : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Asked of the system, not of the library. */
function isAlive(pid: number | null): boolean {
  try {
    return pid !== null && process.kill(pid, 0);
  } catch {
    return false;
  }
}

function expect(what: string, isTrue: boolean): void {
  if (!isTrue) throw new Error(`not as planned: expected that ${what}, and it is not so`);
}

demo().catch((error: Error) => {
  process.exitCode = stage.interruptedWith ?? 1;
  stage.bad(stage.interruptedWith === null ? error.message : 'Stopped.');
});

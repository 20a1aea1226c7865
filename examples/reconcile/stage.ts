// Shows a run while it happens: what is noticed, stopped, resumed, and when. Text only; the demo judges it.

import { intro, log, outro, S_BAR, unicodeOr } from '@clack/prompts';
import { pino } from 'pino';
import { followAttempts, howItStopped } from '../../src/cli/attemptStory.ts';
import type { Interruption } from '../../src/cli/interruption.ts';
import { createProgress } from '../../src/cli/progress.ts';
import { openScreen, paint } from '../../src/cli/screen.ts';
import { JobProcessor, type JobStatus, type SubmitOptions } from '../../src/index.ts';
import {
  type ReconciliationInput,
  type ReconciliationSummary,
  type reconciliation,
  reconciliationProgress,
  startReconciliationJob,
} from '../../src/reconciliation/index.ts';

export interface ShownRun {
  readonly summary: ReconciliationSummary;
  readonly status: JobStatus;
  readonly seconds: number;
  /** As the job that hung told it, right before. */
  readonly hungPid: number | null;
  /** The status at each retry. */
  readonly stopped: JobStatus[];
}

export function createStage(interruption: Interruption) {
  const screen = openScreen(process.stdout, `${paint('gray', S_BAR, process.stdout)}  `);
  const { write: text } = screen;
  const color = screen.paint;

  async function run(
    job: typeof reconciliation,
    input: ReconciliationInput,
    options: SubmitOptions = {},
  ): Promise<ShownRun> {
    const stopped: JobStatus[] = [];
    let hungPid: number | null = null;
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1000;
    const moment = (what: string) =>
      text(`${color('dim', `${seconds().toFixed(1).padStart(5)} s`)}  ${what}`);

    // The planted hang says where it is: a log line of the job, with its process id.
    const write = (line: string) => {
      const { pid, msg } = JSON.parse(line) as { pid?: number; msg: string };
      if (pid === undefined) return;
      hungPid = pid;
      moment(`${color('red', 'hangs')}      ${msg}`);
    };
    const processor = new JobProcessor({
      engine: 'memory',
      jobs: { reconciliation: job },
      logger: pino({ base: null }, { write }),
    });
    const progress = createProgress(screen);
    const story = followAttempts(processor);
    processor.on('progress', progress.update);
    processor.on('stopping', () => {
      const noticed = story.noticed();
      if (noticed !== null) moment(`${color('yellow', 'noticed')}    ${noticed}`);
    });
    processor.on('retrying', (status) => {
      stopped.push(status);
      if (status.stop === null) return;
      moment(`${color('yellow', 'stopped')}    ${howItStopped(status.stop)}`);
      const { rung, tookSeconds, confirmed } = status.stop;
      const record = `rung: ${rung}, tookSeconds: ${tookSeconds}, confirmed: ${confirmed}`;
      text(color('dim', `         record     ${record}`));
    });
    processor.on('running', ({ attempt, progress }) => {
      const { done, chunks } = reconciliationProgress(progress) ?? { done: 0, chunks: 0 };
      if (attempt > 1)
        moment(`${color('cyan', 'goes on')}    attempt ${attempt}, after chunk ${done} of ${chunks}`);
    });
    const handle = await startReconciliationJob(processor, input, options);
    interruption.signal.addEventListener('abort', () => handle.cancel('interrupted'));
    progress.begin('reading both files', async () => null);
    try {
      await processor.start();
      const summary = await handle.result();
      const status = await handle.status();
      if (stopped.length > 0) moment(`${color('green', 'completed')}  at attempt ${status.attempt}`);
      return { summary, status, seconds: seconds(), hungPid, stopped };
    } finally {
      progress.end();
      await processor.stop();
    }
  }

  return {
    open: (title: string) => intro(color('inverse', ` ${title} `)),
    title(title: string, below: string) {
      log.step(`${color('bold', title)}\n${color('dim', below)}`);
      text('');
    },
    text,
    good: (line: string) => text(`\n${color('green', unicodeOr('✔', '*'))} ${line}`),
    bad: (line: string) => log.error(line),
    close: (line: string) => outro(color('green', line)),
    run,
    get interruptedWith() {
      return interruption.exitCode;
    },
  };
}

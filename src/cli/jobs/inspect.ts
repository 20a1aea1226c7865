// `unstuck inspect`: the live page of an engine, without running a job.

import type { Command } from 'commander';
import { JobProcessor, type Jobs } from '../../index.ts';
import { livePage } from '../livePage.ts';
import { createServiceLogger } from '../logger.ts';
import { parsePort } from '../options.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { checkEngine, checkIsThere, engineOption } from './engineFile.ts';

export function addInspect(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('inspect')
    .summary('serve the live page of an engine, without running jobs')
    .description(
      'Serves the live page of an engine, on this machine, until Ctrl-C: its jobs, their history, cancel, time out and retry. ' +
        'It runs no job; what runs now is under Nodes, as stored, a few seconds old at most, and live on the page of the worker that runs it (unstuck ' +
        'work --inspect).',
    )
    .addOption(engineOption())
    .option('-p, --port <n>', 'where to listen (default: a free port)', parsePort, 0)
    .addHelpText(
      'after',
      examples('inspect --engine sqlite:jobs.db', 'inspect --port 4000') +
        endsWith('130  after Ctrl-C, 143 after SIGTERM', badInputLine),
    )
    .action(async ({ engine: name, port }: { engine?: string; port: number }) => {
      const engine = checkEngine(name);
      await checkIsThere(engine);
      const processor = new JobProcessor<Jobs>({
        engine,
        jobs: {},
        logger: createServiceLogger(process.stderr),
      });
      try {
        // Asked once, so that a file that cannot be used is told now and not on the page.
        await processor.counts();
        const inspector = await livePage(processor, port, '--port');
        console.log(`${inspector.url}#token=${inspector.token}`);
        await interruption.untilAsked();
        await inspector.close();
      } finally {
        await processor.stop();
      }
      ends(interruption.exitCode as number);
    });
}

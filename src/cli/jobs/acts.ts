// `unstuck cancel`, `timeout`, `retry`: what is done to a job by hand, from any process. Where its code runs in another, that
// is told to end it, and the proof is waited for.

import type { Command } from 'commander';
import type { Job, JobProcessor, JobStatus, Jobs } from '../../index.ts';
import { ConfigurationError, InputError } from '../../index.ts';
import type { FinalState } from '../../machines/states.ts';
import { isFinal } from '../../machines/states.ts';
import { printable } from '../printable.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import { howJobEnded } from './jobWords.ts';
import { jsonOption } from './output.ts';
import { reportSubmitted, waitOption } from './submitted.ts';
import { interruptible, watched } from './waiting.ts';

interface Options {
  engine?: string;
  reason?: string;
  json?: true;
  wait?: true;
}

const asked = [
  '130  after Ctrl-C, 143 after SIGTERM: it stays asked for; only the waiting is over',
  badInputLine,
];

export function addActs(program: Command, surroundings: Surroundings): void {
  const { screen, interruption, ends } = surroundings;
  program
    .command('cancel')
    .summary('end a job for good, and wait until its code has really stopped')
    .description(
      'Cancels a job: one that waits at once; one that runs is asked to stop, and made to. Waits for the proof that nothing ' +
        'of it runs any more.',
    )
    .argument('<id>', 'the id of a job')
    .addOption(engineOption())
    .option('-r, --reason <text>', 'kept in its history')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('cancel "$ID"', 'cancel "$ID" --reason "wrong file"') +
        endsWith('0    cancelled; or it was already', '2    it had ended otherwise', ...asked),
    )
    .action(async (id: string, options: Options) =>
      ends(
        await withEngine(options.engine, (processor) =>
          end(processor, id, 'cancelled', (job) => job.cancel(options.reason), options, surroundings),
        ),
      ),
    );

  program
    .command('timeout')
    .summary('end a job as timed out, and wait until its code has really stopped')
    .description(
      'Ends a job as timed out, whatever its own timeouts are; it is not tried again. Waits for the proof that nothing of it ' +
        'runs any more.',
    )
    .argument('<id>', 'the id of a job')
    .addOption(engineOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('timeout "$ID"', "stuck --json | jq -r '.[].job.id' | xargs -n1 unstuck timeout") +
        endsWith('0    timed out; or it was already', '2    it had ended otherwise', ...asked),
    )
    .action(async (id: string, options: Options) =>
      ends(
        await withEngine(options.engine, (processor) =>
          end(processor, id, 'timedOut', () => processor.timeoutJob(id), options, surroundings),
        ),
      ),
    );

  program
    .command('retry')
    .summary('submit a job that has ended once more')
    .description(
      'Submits a job that has ended once more, with its input and settings, as a new job whose id is printed. The new one ' +
        'starts from the beginning and names the old one.',
    )
    .argument('<id>', 'the id of a job that has ended')
    .addOption(engineOption())
    .addOption(waitOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('retry "$ID"', 'retry "$ID" --wait') +
        endsWith(
          '0    submitted; with --wait: completed',
          '2    with --wait: failed or cancelled; else it has not ended, no such job, or the engine does not answer',
          '3    with --wait: timed out',
          '130  after Ctrl-C, 143 after SIGTERM: the job goes on; only the waiting is over',
        ),
    )
    .action(async (id: string, options: Options) =>
      ends(
        await withEngine(options.engine, async (processor) =>
          reportSubmitted(await processor.retry(id), processor, options, screen, interruption),
        ),
      ),
    );
}

async function end(
  processor: JobProcessor<Jobs>,
  id: string,
  wanted: FinalState,
  act: (job: Job) => Promise<JobStatus>,
  { json }: Options,
  { screen, interruption }: Surroundings,
): Promise<number> {
  const job = await processor.get(id);
  const before = await job.status();
  if (isFinal(before.state) && before.state !== wanted)
    throw new ConfigurationError(`job ${id}`, 'one that has not ended', `one that is ${before.state}`);
  const status = await interruptible(watched(act(job), job, processor, screen), interruption);
  if (status === null) {
    const now = await job.status();
    const isAsked = now.state === 'stopping' || isFinal(now.state);
    if (json === true) console.log(JSON.stringify(now));
    screen.write(
      isAsked
        ? `It stays asked for: job ${id} is ${now.state}, see unstuck show ${id}. Only the waiting is over.`
        : `Interrupted before it was asked for: job ${id} is ${now.state}.`,
    );
    return interruption.exitCode as number;
  }
  if (status.state !== wanted) throw new InputError(`job ${id} had ${status.state} before it was stopped.`);
  console.log(json === true ? JSON.stringify(status) : printable(howJobEnded(status)));
  return 0;
}

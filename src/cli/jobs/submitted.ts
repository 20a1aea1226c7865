// What `submit` and `retry` say of the job they have stored: its id, or with --wait how it ended.

import { Option } from 'commander';
import type { Job, JobProcessor, Jobs } from '../../index.ts';
import { printError } from '../errorLine.ts';
import type { Interruption } from '../interruption.ts';
import type { Screen } from '../screen.ts';
import { endOf } from './waiting.ts';

export const waitOption = () =>
  new Option('--wait', 'wait for the end; print the result instead, and end as the job did');

export async function reportSubmitted(
  job: Job,
  processor: JobProcessor<Jobs>,
  { wait, json }: { wait?: true; json?: true },
  screen: Screen,
  interruption: Interruption,
): Promise<number> {
  if (wait !== true) {
    console.log(json === true ? JSON.stringify(await job.status()) : job.id);
    return 0;
  }
  if (screen.isTerminal) screen.write(screen.paint('dim', `job ${job.id}`));
  const end = await endOf(job, processor, screen, interruption);
  if (end === null) {
    const now = await job.status();
    if (json === true) console.log(JSON.stringify(now));
    screen.write(`Job ${job.id} goes on, it is ${now.state}: only the waiting is over.`);
    return interruption.exitCode as number;
  }
  const { status, result, exitCode, error } = end;
  if (json === true) console.log(JSON.stringify({ ...status, ...(error === null ? { result } : { error }) }));
  else if (error === null) console.log(JSON.stringify(result, null, 2));
  if (error !== null) printError(error);
  return exitCode;
}

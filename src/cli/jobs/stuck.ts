// `unstuck stuck`: the jobs of an engine that are past their time, in whichever process.

import type { Command } from 'commander';
import type { StuckJob } from '../../index.ts';
import { parseDuration } from '../durations.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import { stateStyles, whyStuck } from './jobWords.ts';
import { jsonOption, type Page, show } from './output.ts';
import { type Cell, table } from './table.ts';

interface Options {
  engine?: string;
  idle?: number;
  json?: true;
}

export function addStuck(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('stuck')
    .summary('find jobs that are past their time')
    .description(
      'Finds jobs that are past their time, in whichever process, and ends none of them: workers do that by themselves, and ' +
        'unstuck timeout and cancel by hand. Where all is well there are none.',
    )
    .addOption(engineOption())
    .option('--idle <time>', 'also live jobs in time, but without progress for so long', parseDuration)
    .addOption(jsonOption())
    .addHelpText('after', details)
    .action(async ({ engine, idle, json }: Options) =>
      ends(
        await withEngine(engine, async (processor) => {
          let found = 0;
          const look = async () => {
            const stuck = await processor.stuckJobs({ idleSeconds: idle });
            found = stuck.length;
            return {
              picture: (page: Page) => stuckTable(stuck, page),
              news: () => new Map(),
              json: stuck,
              isOver: true,
            };
          };
          await show(look, { json }, interruption);
          return found === 0 ? 0 : 1;
        }),
      ),
    );
}

function stuckTable(stuck: readonly StuckJob[], page: Page): string[] {
  if (stuck.length === 0) return ['No job is stuck.'];
  const areLive = stuck.some(({ job }) => job.node !== null);
  const rows = stuck.map((found): Cell[] => [
    { text: found.job.id },
    { text: found.job.state, style: stateStyles[found.job.state] },
    { text: found.job.name },
    ...(areLive ? [{ text: found.job.node ?? '' }] : []),
    { text: whyStuck(found) },
  ]);
  return table(['ID', 'STATE', 'NAME', ...(areLive ? ['NODE'] : []), 'WHY'], rows, page);
}

const details = `${examples(
  'stuck --engine sqlite:jobs.db',
  'stuck --idle 5m',
  "stuck --json | jq -r '.[] | [.job.id, .why] | @tsv'",
)}

What runs in another process is judged by what that has stored: its lease, when each attempt began, its last heartbeat and
progress. A job is told as past a timeout when that passed by more than a stop may take. So much cannot be told from here:
whether code that beats does anything (see --idle), why a worker does not answer, and, of wall times, anything on a machine
whose clock was set meanwhile.
${endsWith('0    none is stuck', '1    some are', badInputLine)}`;

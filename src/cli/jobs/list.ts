// `unstuck list`: the jobs of an engine, newest first.

import { type Command, Option } from 'commander';
import type { JobState, JobStatus } from '../../index.ts';
import { jobStates } from '../../machines/states.ts';
import { countOf } from '../printable.ts';
import { parseCount, parsePast } from './arguments.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import { ago, attemptOf, noteOf, progressOf, stateStyles } from './jobWords.ts';
import { jsonOption, type OutputOptions, type Page, show, type View, watchOption } from './output.ts';
import { type Cell, table } from './table.ts';

interface Options extends OutputOptions {
  engine?: string;
  state?: JobState;
  name?: string;
  key?: string;
  since?: Date;
  until?: Date;
  limit: number;
}

export function addList(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('list')
    .summary('list jobs, newest first')
    .description('Lists jobs, newest first, whichever process runs them.')
    .addOption(engineOption())
    .addOption(new Option('-s, --state <state>', 'only these').choices(jobStates))
    .option('-n, --name <name>', 'only jobs of this name')
    .option('--key <text>', 'only the job submitted with this key')
    .option('--since <when>', 'submitted so long ago or later: 2h, or a date', parsePast)
    .option('--until <when>', 'submitted before: 2h ago, or a date', parsePast)
    .option('--limit <n>', 'at most so many', parseCount, 50)
    .addOption(jsonOption())
    .addOption(watchOption())
    .addHelpText(
      'after',
      examples(
        'list --engine sqlite:jobs.db',
        'list --state running --watch',
        'list --state failed --since 1d --name invoices',
        "list --state timedOut --json | jq -r '.[].id'",
      ) + endsWith('0', badInputLine),
    )
    .action(async ({ engine, json, watch, ...filter }: Options) =>
      ends(
        await withEngine(engine, (processor) => {
          const { state, name, key, since, until, limit } = filter;
          const look = async () => {
            const jobs: JobStatus[] = [];
            // One more than is shown tells that there are more.
            for await (const job of processor.list({
              state,
              name,
              key,
              from: since,
              before: until,
              limit: limit + 1,
            }))
              jobs.push(job);
            return listView(jobs.slice(0, limit), jobs.length > limit);
          };
          return show(look, { json, watch }, interruption);
        }),
      ),
    );
}

function listView(jobs: readonly JobStatus[], areMore: boolean): View {
  return {
    picture: (page) => [
      ...jobTable(jobs, page),
      ...(areMore
        ? [page.paint('dim', `The newest ${countOf(jobs.length, 'job')}; more with --limit.`)]
        : []),
    ],
    news: () =>
      new Map(
        jobs
          .toReversed()
          .map((job) => [
            job.id,
            [job.id, job.state, job.name, attemptOf(job), progressOf(job), job.node ?? '']
              .filter((part) => part !== '')
              .join('  '),
          ]),
      ),
    json: jobs,
    isOver: false,
  };
}

function jobTable(jobs: readonly JobStatus[], page: Page): string[] {
  if (jobs.length === 0) return ['No such job.'];
  const areLive = jobs.some(({ node }) => node !== null);
  const rows = jobs.map((job): Cell[] => [
    { text: job.id },
    { text: job.state, style: stateStyles[job.state] },
    { text: job.name },
    { text: attemptOf(job) },
    { text: progressOf(job) },
    { text: ago(job.submittedAt) },
    ...(areLive ? [{ text: job.node ?? '' }] : []),
    { text: noteOf(job), style: 'dim' },
  ]);
  const headings = ['ID', 'STATE', 'NAME', 'ATTEMPT', 'ITEMS', 'SUBMITTED', ...(areLive ? ['NODE'] : []), ''];
  return table(headings, rows, page);
}

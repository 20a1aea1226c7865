// `unstuck show ID`: all that is stored of one job, for whoever asks why.

import type { Command } from 'commander';
import type { Job, JobStatus, JobTransition } from '../../index.ts';
import { howItStopped } from '../attemptStory.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import {
  ago,
  attemptOf,
  progressOf,
  reasonOf,
  shownTime,
  stateStyles,
  stopOf,
  timeoutName,
  whenDue,
} from './jobWords.ts';
import { jsonOption, type OutputOptions, type Page, show, type View, watchOption } from './output.ts';
import { type Cell, table } from './table.ts';

export function addShow(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('show')
    .summary('show one job: status, what is due, how it was stopped, its history')
    .description(
      'Shows one job: its status, what will time it out and when, how its last attempt was stopped and what was proven ' +
        'of that, and its history with the reasons. Of a job that runs elsewhere it is what its worker has stored, ' +
        'a second old at most.',
    )
    .argument('<id>', 'the id of a job')
    .addOption(engineOption())
    .addOption(jsonOption())
    .addOption(watchOption())
    .addHelpText(
      'after',
      examples(
        'show 019ac2b4-57c1-7d53-a2b1-0d1f0c7e9f11',
        'show "$ID" --watch',
        'show "$ID" --json | jq .history',
      ) + endsWith('0    --watch ends with the job', badInputLine),
    )
    .action(async (id: string, { engine, json, watch }: OutputOptions & { engine?: string }) =>
      ends(
        await withEngine(engine, async (processor) => {
          const job = await processor.get(id);
          return show(async () => jobView(await detailOf(job)), { json, watch }, interruption);
        }),
      ),
    );
}

/** `result` only where it completed. */
export type Detail = JobStatus & { result?: unknown };

export async function detailOf(job: Job): Promise<Detail> {
  const status = await job.status();
  return status.state === 'completed' ? { ...status, result: await job.result() } : status;
}

function jobView(job: Detail): View {
  const isOver = job.endedAt !== null;
  return {
    picture: (page) => [...facts(job, page), '', ...history(job, page)],
    news: () =>
      new Map([
        ...job.history.map((entry, index): [string, string] => [String(index), lineOf(entry).join('  ')]),
        ...(isOver || progressOf(job) === '' ? [] : [['items', `items ${progressOf(job)}`] as const]),
      ]),
    json: job,
    isOver,
  };
}

function facts(job: Detail, page: Page): string[] {
  const reason = reasonOf(job);
  const row = (label: string, text: string | null): Cell[][] =>
    text === null || text === '' ? [] : [[{ text: label, style: 'dim' }, { text }]];
  const at = (date: Date | null) => (date === null ? null : `${shownTime(date)}, ${ago(date)}`);
  return table(
    [],
    [
      ...row('job', job.id),
      ...row('name', job.name),
      [
        { text: 'state', style: 'dim' },
        { text: job.state, style: stateStyles[job.state] },
      ],
      ...row('reason', reason),
      ...row('node', job.node),
      ...row('attempt', attemptOf(job)),
      ...row('items', progressOf(job)),
      ...row('submitted', at(job.submittedAt)),
      ...row('key', job.idempotencyKey),
      ...row('concurrency key', job.concurrencyKey),
      ...row('retry of', job.retryOf),
      ...row('not before', job.startAfter === null ? null : `${shownTime(job.startAfter)}`),
      ...row('started', at(job.startedAt)),
      ...row('heartbeat', job.endedAt === null ? at(job.lastHeartbeat) : null),
      ...row('progress', job.endedAt === null && job.progress.chunks > 0 ? at(job.lastProgress) : null),
      ...job.due.flatMap(({ kind, at: due }, index) =>
        row(index === 0 ? 'due' : '', `${timeoutName(kind)} ${whenDue(due)}, ${shownTime(due)}`),
      ),
      ...row('stop', stopOf(job)),
      ...row('ended', at(job.endedAt)),
      ...row('result', job.result === undefined ? null : JSON.stringify(job.result)),
    ],
    page,
  );
}

function history(job: JobStatus, page: Page): string[] {
  const rows = job.history.map((entry): Cell[] => {
    const [time = '', state = '', ...rest] = lineOf(entry);
    return [
      { text: time, style: 'dim' },
      { text: state, style: stateStyles[entry.state] },
      { text: rest.join('  ') },
    ];
  });
  return table(['HISTORY', '', ''], rows, page);
}

function lineOf({ at, state, attempt, timeout, reason, stop }: JobTransition): string[] {
  return [
    shownTime(at),
    state,
    ...(attempt === 0 ? [] : [`attempt ${attempt}`]),
    ...(timeout === undefined ? [] : [timeoutName(timeout)]),
    ...(reason === undefined ? [] : [reason]),
    ...(stop === undefined ? [] : [howItStopped(stop, 'nothing of it runs any more')]),
  ];
}

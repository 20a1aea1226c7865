// `unstuck stats`: how a whole engine stands.

import type { Command } from 'commander';
import type { Stats } from '../../index.ts';
import { jobStates } from '../../machines/states.ts';
import { formatCount } from '../printable.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import { since, stateStyles } from './jobWords.ts';
import { jsonOption, type OutputOptions, show, type View, watchOption } from './output.ts';
import { type Cell, table } from './table.ts';

export function addStats(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('stats')
    .summary('count jobs by state, what waits, and what ended in the last hour')
    .description(
      'Counts jobs by state; says how many wait and since when the oldest does that may start; and how the jobs ended that ' +
        'ended in the last hour, those that timed out by which timeout.',
    )
    .addOption(engineOption())
    .addOption(jsonOption())
    .addOption(watchOption())
    .addHelpText(
      'after',
      examples('stats --engine sqlite:jobs.db', 'stats --watch', 'stats --json | jq .queue.length') +
        endsWith('0', badInputLine),
    )
    .action(async ({ engine, ...output }: OutputOptions & { engine?: string }) =>
      ends(
        await withEngine(engine, (processor) =>
          show(async () => statsView(await processor.stats()), output, interruption),
        ),
      ),
    );
}

function statsView(stats: Stats): View {
  const { counts, queue, lastHour } = stats;
  const { timeouts, ...ended } = lastHour;
  const kinds = Object.entries(timeouts).filter(([, count]) => count > 0);
  const kindsText = kinds.map(([kind, count]) => `${kind} ${formatCount(count)}`).join(', ');
  return {
    picture: (page) => {
      const rows = jobStates.map((state): Cell[] => [
        { text: state, style: counts[state] === 0 ? 'dim' : stateStyles[state] },
        { text: formatCount(counts[state]).padStart(10) },
        { text: state in ended ? formatCount(ended[state as keyof typeof ended]).padStart(10) : '' },
        { text: state === 'timedOut' ? kindsText : '' },
      ]);
      const oldest = queue.oldest === null ? '' : `, the oldest for ${since(queue.oldest)}`;
      return [
        ...table(['STATE', 'JOBS'.padStart(10), 'LAST HOUR'.padStart(10), ''], rows, page),
        '',
        `${formatCount(queue.length)} waiting${oldest}`,
      ];
    },
    news: () =>
      new Map([
        [
          'stats',
          [
            ...jobStates.map((state) => `${state} ${counts[state]}`),
            `| last hour: ${Object.entries(ended)
              .map(([state, count]) => `${state} ${count}`)
              .join(' ')}`,
            ...(kindsText === '' ? [] : [`(${kindsText})`]),
          ].join(' '),
        ],
      ]),
    json: stats,
    isOver: false,
  };
}

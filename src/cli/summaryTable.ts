// The result, for people: a table that adds up on both sides, where the differences lie, and where to read more.

import { relative, sep } from 'node:path';
import { unicodeOr } from '@clack/prompts';
import type { ReconciliationSummary } from '../reconciliation/index.ts';
import { formatDuration } from './durations.ts';
import { countOf, formatCount, printable } from './printable.ts';
import { paint, type Style } from './screen.ts';
import { nameOf } from './sourceNames.ts';

export interface TableFacts {
  readonly left: string;
  readonly right: string;
  readonly seconds: number;
  readonly attempts: number;
}

const labelWidth = 22;
const barWidth = 24;

export function summaryTable(
  summary: ReconciliationSummary,
  facts: TableFacts,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  const color = (style: Style, text: string) => paint(style, text, stream);
  const names = [facts.left, facts.right].map((path) => shorten(nameOf(path)));
  const width = Math.max(10, ...names.map((name) => name.length));
  const { duplicateKeys, duplicateRows, rejected } = summary;

  const line = (label: string, left: string, right: string, style?: Style, note = '') => {
    const cells = `${label.padEnd(labelWidth)}${left.padStart(width)}  ${right.padStart(width)}`;
    return `  ${style === undefined ? cells : color(style, cells)}${note === '' ? '' : color('dim', `   ${note}`)}`;
  };
  const row = (label: string, left: number, right: number, style: Style, note = '') =>
    line(label, formatCount(left), formatCount(right), left + right === 0 ? 'dim' : style, note);
  const keys = `${formatCount(duplicateKeys.left)} and ${countOf(duplicateKeys.right, 'key')}`;
  const hasDuplicates = duplicateRows.left + duplicateRows.right > 0;

  const lines = [
    headline(summary, color),
    ...scopeLines(summary).map((text) => color('yellow', `   ${text}`)),
    '',
    line('', names[0]!, names[1]!, 'bold'),
    row('matched', summary.matched, summary.matched, 'green'),
    ...passLines(summary, row),
    row('mismatched', summary.mismatched, summary.mismatched, 'yellow'),
    row('only here', summary.onlyLeft, summary.onlyRight, 'yellow'),
    row(
      'with a duplicate key',
      duplicateRows.left,
      duplicateRows.right,
      'yellow',
      hasDuplicates ? `of ${keys}` : '',
    ),
    ...(rejected.left + rejected.right === 0
      ? []
      : [row('malformed, left out', rejected.left, rejected.right, 'red', `see rejected.${summary.format}`)]),
    color('dim', `  ${''.padEnd(labelWidth)}${rule(width)}  ${rule(width)}`),
    line(
      summary.stoppedEarly === null ? 'rows' : 'rows compared',
      formatCount(summary.left),
      formatCount(summary.right),
      'bold',
    ),
  ];
  lines.push(...columnLines(summary.columns, color), '');

  const { run, total } = summary.chunks;
  const chunks = run === total ? `${countOf(total, 'chunk')}, each run once` : `${countOf(run, 'chunk')} run`;
  lines.push(
    `  ${'reports'.padEnd(labelWidth)}${color('underline', printable(shownPath(summary.report)))}${color('dim', `   ${unicodeOr('→', '->')} report.html`)}`,
    `  ${'time'.padEnd(labelWidth)}${formatDuration(facts.seconds)}, ${countOf(facts.attempts, 'attempt')}, ${chunks}`,
  );
  return lines.join('\n');
}

type Row = (label: string, left: number, right: number, style: Style, note?: string) => string;

/** What the matching passes made of the rows that no key matched. */
function passLines({ passes }: ReconciliationSummary, row: Row): string[] {
  return passes.map(({ pass, left, right, matches, bounded }) => {
    const bound = bounded > 0 ? `; ${countOf(bounded, 'row')} had more candidates than it looks at` : '';
    const label = shorten(`matched, ${printable(pass)}`);
    return row(label, left, right, 'green', `${formatCount(matches)} by this pass${bound}`);
  });
}

/** Where the numbers are not of all rows. */
function scopeLines({ stoppedEarly, sample, chunks }: ReconciliationSummary): string[] {
  const lines: string[] = [];
  if (sample !== null)
    lines.push(`A sample: ${sample.endsWith('%') ? sample : formatCount(Number(sample))} of the keys.`);
  if (stoppedEarly !== null) {
    const { after, notCompared } = stoppedEarly;
    lines.push(
      `Partial: stopped after ${countOf(after, 'difference')}, with ${chunks.run} of ${countOf(chunks.total, 'chunk')} done; ` +
        `${formatCount(notCompared.left)} and ${countOf(notCompared.right, 'row')} were not compared.`,
    );
  }
  return lines;
}

type Color = (style: Style, text: string) => string;

function headline({ rejected, ...summary }: ReconciliationSummary, color: Color): string {
  if (rejected.left + rejected.right > 0) {
    return color('red', `${unicodeOr('▲', '!')}  Some rows could not be read; the others were compared.`);
  }
  const { mismatched, onlyLeft, onlyRight, duplicateRows } = summary;
  if (mismatched + onlyLeft + onlyRight + duplicateRows.left + duplicateRows.right === 0)
    return color('green', `${unicodeOr('✔', '*')}  Everything matches.`);
  return color('yellow', `${unicodeOr('≠', '!')}  The files differ.`);
}

/** The columns with the most differences first, the rest counted. */
function columnLines(columns: Record<string, number>, color: Color): string[] {
  const entries = Object.entries(columns).sort(([, a], [, b]) => b - a);
  const differing = entries.filter(([, count]) => count > 0);
  if (differing.length === 0) return [];
  const shown = differing.slice(0, 12);
  const most = shown[0]![1];
  const lines = shown.map(([name, count]) => {
    const bar = unicodeOr('■', '#').repeat(Math.max(1, Math.round((count / most) * barWidth)));
    const label = shorten(printable(name)).padEnd(labelWidth);
    return `  ${label}${formatCount(count).padStart(10)}  ${color('yellow', bar)}`;
  });
  const more = differing.length - shown.length;
  if (more > 0) lines.push(color('dim', `  and ${countOf(more, 'column')} more, see summary.json`));
  return ['', `  ${color('bold', 'differences by column')}`, ...lines];
}

function rule(width: number): string {
  return unicodeOr('─', '-').repeat(width);
}

function shorten(text: string): string {
  return text.length <= labelWidth - 2 ? text : `${text.slice(0, labelWidth - 3)}…`;
}

/** As it can be typed from here. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), path);
  if (near === '') return '.';
  return near.startsWith('..') ? path : `.${sep}${near}`;
}

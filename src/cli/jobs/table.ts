// Rows of text in columns, without borders: what can be read can be piped, too. Names, reasons and errors are foreign text
// and are made printable here, so that no cell can steer a terminal or break a line.

import truncated from 'fast-string-truncated-width';
import { printable } from '../printable.ts';
import type { Style } from '../screen.ts';

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

const gap = '  ';
/** What is left for the last column of a narrow terminal; its lines then wrap. */
const leastLast = 12;

/**
 * The last column takes what is left of `width`, and is cut where it is longer. `headings` empty: none are printed.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  { width, paint }: { width: number; paint(style: Style, text: string): string },
): string[] {
  const head = headings.map((text): Cell => ({ text, style: 'dim' }));
  const all = (head.length === 0 ? rows : [head, ...rows]).map((row) =>
    row.map(({ text, style }) => ({ text: printable(text), style })),
  );
  const last = Math.max(0, ...all.map((row) => row.length)) - 1;
  const widths = Array.from({ length: last }, (_, column) =>
    Math.max(...all.map((row) => widthOf(row[column]?.text ?? ''))),
  );
  const left = width - widths.reduce((sum, each) => sum + each + gap.length, 0);
  return all.map((row) =>
    row
      .map(({ text, style }, column) => {
        const shown = column === last ? cut(text, Math.max(left, leastLast)) : text;
        const pad = column === last ? '' : ' '.repeat((widths[column] as number) - widthOf(text));
        return `${style === undefined ? shown : paint(style, shown)}${pad}`;
      })
      .join(gap)
      .trimEnd(),
  );
}

function widthOf(text: string): number {
  return truncated(text).width;
}

export function cut(text: string, limit: number): string {
  const { index, ellipsed } = truncated(text, { limit, ellipsis: '…' });
  // Where the text is as wide as the limit, and coloured, it names no index.
  return ellipsed && index !== null ? `${text.slice(0, index)}…` : text;
}

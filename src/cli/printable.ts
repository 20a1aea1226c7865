// Text from files, paths and errors, made fit to print: what a column name holds must not steer a terminal, and a
// message stays one line.

import { stripVTControlCharacters } from 'node:util';

export function printable(text: string): string {
  return (
    stripVTControlCharacters(text)
      .replace(/[\r\n]+\s*/g, ' ')
      // Controls, and what turns the direction of text around.
      .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\uFFFD')
  );
}

const grouped = new Intl.NumberFormat('en-US');

/** `12,345`. */
export function formatCount(count: number): string {
  return grouped.format(count);
}

/** `1 chunk`, `2 chunks`. */
export function countOf(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`;
}

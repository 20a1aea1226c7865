// docs/guarantees.md promises what the fault matrix shows, and the matrix leaves no cell out.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { guarantees, guaranteesTable } from '../../scripts/guaranteesTable.ts';
import { withMarked } from '../../scripts/marked.ts';
import { outcomes, promises } from '../faults/promises.ts';

test('its table is what the matrix is run from (else: npm run guarantees)', () => {
  const text = readFileSync(guarantees, 'utf8');
  expect(text).toContain(guaranteesTable);
  expect(withMarked(text, 'matrix', guaranteesTable)).toBe(text);
});

test('each cell is run: those of these outcomes by faults/matrix.test.ts, the others by faults/hosts.test.ts', () => {
  const run = {
    process: ['ended', 'ended alone', 'failed', 'completed'],
    thread: [
      ...['ended', 'ended alone', 'failed', 'completed', 'refused'],
      ...['unconfirmed', 'may be unconfirmed', 'stops its host'],
    ],
    inline: [
      ...['blocks its host', 'unconfirmed', 'failed', 'completed', 'refused'],
      ...['ends its host', 'stops its host'],
    ],
  };
  for (const isolation of ['process', 'thread', 'inline'] as const) {
    const promised = new Set(Object.values(promises).map((row) => row[isolation]));
    expect([...promised].sort()).toEqual(run[isolation].sort());
  }
});

test('each outcome is explained, and stands in the table', () => {
  const used = new Set(Object.values(promises).flatMap((row) => [row.process, row.thread, row.inline]));
  expect([...used].sort()).toEqual(Object.keys(outcomes).sort());
});

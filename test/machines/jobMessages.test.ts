// What each command to end an attempt is for, as it is stored and told.

import { expect, test } from 'vitest';
import { intentOf, type JobEvent } from '../../src/machines/jobMessages.ts';
import { events } from './explore.ts';

const table: [string, JobEvent, object][] = [
  ['a cancel', { type: 'job.cancel', reason: 'not needed' }, { kind: 'cancel', reason: 'not needed' }],
  [
    'a timeout that somebody found',
    { type: 'job.timeOut', kind: 'progress', by: 'monitor' },
    { kind: 'timeout', timeout: 'progress', by: 'monitor' },
  ],
  [
    "a timeout of the chart's own",
    { type: 'timeout.due', kind: 'heartbeat' },
    { kind: 'timeout', timeout: 'heartbeat', by: 'timer' },
  ],
  ['a hand-back', { type: 'job.handBack' }, { kind: 'handBack' }],
  ['a lost lease', { type: 'lease.lost' }, { kind: 'leaseLost' }],
];

test.each(table)('%s', (_, event, intent) => {
  expect(intentOf(event)).toEqual(intent);
});

test('nothing else ends an attempt', () => {
  const ending = table.map(([, { type }]) => type);
  const others = events.filter(({ type }) => !ending.includes(type));
  expect(others.length).toBeGreaterThan(5);
  for (const event of others) expect(intentOf(event)).toBeNull();
});

// Settings as text: what is out of the ordinary is stored, and comes back as it was with all the rest.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FrozenSettings } from '../../src/engines/engine.ts';
import { settingsFrom, settingsText } from '../../src/engines/jobText.ts';
import { resolveSettings } from '../../src/runtime/settings.ts';

const seconds = fc.oneof(fc.constant(Infinity), fc.double({ min: 0.001, max: 1e6, noNaN: true }));
const settings = fc.record({
  jobTimeoutSeconds: fc.oneof(fc.constant(7200), seconds),
  heartbeatTimeoutSeconds: fc.oneof(fc.constant(60), seconds),
  progressTimeoutSeconds: fc.oneof(fc.constant(600), seconds),
  queueTimeoutSeconds: seconds,
  deadlineSeconds: seconds,
  graceSeconds: fc.oneof(fc.constant(5), fc.constant(0)),
  memoryLimitMb: seconds,
  maxCrashes: fc.constantFrom(1, 3, Infinity),
  chunkSize: fc.constantFrom(1, 1000),
  retry: fc.record({
    maxAttempts: fc.constantFrom(1, 5),
    on: fc.constantFrom(['failed', 'timedOut'] as const, ['failed'] as const, [] as const),
    backoff: fc.record({
      kind: fc.constantFrom('fixed' as const, 'exponential' as const),
      seconds: fc.constantFrom(0, 10),
      maxSeconds: fc.constantFrom(Infinity, 60),
      jitter: fc.constantFrom(0, 0.5),
    }),
  }),
});

test('all settings come back as they were, frozen', () => {
  fc.assert(
    fc.property(settings, (given: FrozenSettings) => {
      const read = settingsFrom(settingsText(given));
      expect(read).toEqual(given);
      expect([read, read.retry, read.retry.on, read.retry.backoff].every(Object.isFrozen)).toBe(true);
    }),
  );
});

test('the defaults take no room', () => {
  const chunked = resolveSettings([], { chunked: true, isolation: 'process' });
  expect(settingsText(chunked)).toBe('{}');
  expect(settingsFrom('{}')).toEqual(chunked);
});

test('what was stored with all its settings is read as it was', () => {
  const inline = resolveSettings([{ retry: { maxAttempts: 3 } }], { chunked: false, isolation: 'inline' });
  expect(settingsFrom(JSON.stringify(inline))).toEqual(inline);
});

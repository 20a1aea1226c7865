// What a reader of OpenTelemetry's own SDK reads of a processor in which everything has happened. Real time: real processes are
// killed.

import * as semantic from '@opentelemetry/semantic-conventions/incubating';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  attribute,
  type InstrumentDefinition,
  instruments,
} from '../../src/runtime/telemetry/instruments.ts';
import { type Reading, Readings, valuesOf } from './readings.ts';
import { Story } from './story.ts';

const readings = new Readings();
const story = new Story(readings.provider);
let read: ReadonlyMap<string, Reading>;
const valuesIn = ({ name }: InstrumentDefinition, ...by: string[]) => valuesOf(read.get(name), ...by);

beforeAll(async () => {
  await story.run();
  read = await readings.read();
});
afterAll(() => story[Symbol.asyncDispose]());

test('the names of the semantic conventions are those of the conventions', () => {
  expect(instruments.sent.name).toBe(semantic.METRIC_MESSAGING_CLIENT_SENT_MESSAGES);
  expect(instruments.run.name).toBe(semantic.METRIC_MESSAGING_PROCESS_DURATION);
  expect(attribute).toMatchObject({
    system: semantic.ATTR_MESSAGING_SYSTEM_NAME,
    operation: semantic.ATTR_MESSAGING_OPERATION_NAME,
    operationType: semantic.ATTR_MESSAGING_OPERATION_TYPE,
    job: semantic.ATTR_MESSAGING_DESTINATION_NAME,
    error: semantic.ATTR_ERROR_TYPE,
  });
  const types = (definition: InstrumentDefinition) =>
    Object.keys(valuesIn(definition, attribute.operationType));
  expect(types(instruments.sent)).toEqual([semantic.MESSAGING_OPERATION_TYPE_VALUE_SEND]);
  expect(types(instruments.run)).toEqual([semantic.MESSAGING_OPERATION_TYPE_VALUE_PROCESS]);
});

test('each instrument is read with its unit, its kind, its buckets, and no attribute but its own', () => {
  const known = new Map<string, InstrumentDefinition>(
    Object.values(instruments).map((definition) => [definition.name, definition]),
  );
  expect([...read.keys()].sort()).toEqual([...known.keys()].sort());
  for (const [name, { unit, kind, about, attributes, boundaries }] of known) {
    expect(read.get(name)).toMatchObject({ unit, type: kind, about });
    expect(unit).toMatch(/^(s|1|\{[a-z]+\})$/);
    const allowed = attributes.map((each) => attribute[each]);
    const points = read.get(name)?.points ?? [];
    expect(points.length).toBeGreaterThan(0);
    const used = new Set(points.flatMap(({ attributes: own }) => Object.keys(own)));
    expect([...used].sort()).toEqual([...allowed].sort());
    for (const point of points) expect(point.boundaries).toEqual(boundaries);
  }
});

test('submits and ends are counted, by name', () => {
  expect(valuesIn(instruments.sent, attribute.job)).toEqual({
    steady: 4,
    failing: 2,
    polite: 3,
    standing: 2,
    busy: 1,
    ways: 1,
    looping: 1,
    stubborn: 1,
    parked: 3,
  });
  expect(valuesIn(instruments.ended, attribute.job, attribute.state)).toEqual({
    'steady completed': 4,
    'failing completed': 1,
    'failing failed': 1,
    'polite timedOut': 2,
    'polite cancelled': 1,
    'standing timedOut': 1,
    'busy cancelled': 1,
    'ways timedOut': 1,
    'looping timedOut': 1,
    'stubborn timedOut': 1,
    'parked timedOut': 1,
  });
});

test('each attempt is counted by what became of it, with its run time and the type of its error', () => {
  expect(valuesIn(instruments.run, attribute.job, attribute.outcome, attribute.error)).toEqual({
    'steady completed -': 4,
    'failing failed E_PLANNED': 3,
    'failing completed -': 1,
    'polite timedOut timeout': 2,
    'polite cancelled -': 1,
    'standing timedOut timeout': 1,
    'busy cancelled -': 1,
    'ways timedOut timeout': 1,
    'looping timedOut timeout': 1,
    'stubborn timedOut timeout': 1,
  });
  const { points = [] } = read.get(instruments.run.name) ?? {};
  const stubborn = points.find(({ attributes }) => attributes[attribute.job] === 'stubborn');
  // Its job timeout, and the time of the ladder.
  expect(stubborn?.sum).toBeGreaterThan(0.29);
  expect(stubborn?.sum).toBeLessThan(10);
});

test('timeouts are counted by kind, and by who found them', () => {
  expect(valuesIn(instruments.timeouts, attribute.job, attribute.timeout, attribute.foundBy)).toEqual({
    'polite deadline timer': 1,
    'polite job hand': 1,
    'standing progress timer': 1,
    'ways job timer': 1,
    'looping heartbeat timer': 1,
    'stubborn job timer': 1,
    'parked queue monitor': 1,
  });
});

test('stops are measured by the last rung that was needed, and whether they were proven', () => {
  expect(valuesIn(instruments.stop, attribute.job, attribute.rung, attribute.isConfirmed)).toEqual({
    'busy ask true': 1,
    'polite grace true': 3,
    'standing grace true': 1,
    'ways terminate true': 1,
    'looping kill true': 1,
    'stubborn grace false': 1,
  });
  const { points = [] } = read.get(instruments.stop.name) ?? {};
  const stubborn = points.find(({ attributes }) => attributes[attribute.job] === 'stubborn');
  // The ladder's time for one that can only be asked: its grace.
  expect(stubborn?.sum).toBeGreaterThanOrEqual(0.199);
});

test('what stands is told: jobs, the queue, silence, slots, and what could not be stopped', () => {
  expect(valuesIn(instruments.jobs, attribute.job, attribute.state)).toEqual({
    'standing running': 1,
    'parked queued': 2,
    // That of a name which is not of this registry is another processor's to tell.
  });
  const ages = valuesIn(instruments.queueAge, attribute.job);
  expect(Object.keys(ages)).toEqual(['parked']);
  for (const age of Object.values(ages)) expect(age).toBeGreaterThanOrEqual(0.2);
  for (const definition of [instruments.heartbeatAge, instruments.progressAge]) {
    const silent = valuesIn(definition, attribute.job);
    expect(Object.keys(silent)).toEqual(['standing']);
    expect(silent.standing).toBeGreaterThanOrEqual(0.2);
  }
  expect(valuesIn(instruments.slots, attribute.slot)).toEqual({ free: 3, used: 1, unconfirmed: 1 });
  expect(valuesIn(instruments.unconfirmed, attribute.job)).toEqual({ stubborn: 1 });
  expect(valuesIn(instruments.engineUp)).toEqual({ '': 1 });
  expect(valuesIn(instruments.nodes, attribute.node)).toEqual({ running: 1 });
});

test('the sweeps of the monitor are measured', () => {
  expect(valuesIn(instruments.sweep)['']).toBeGreaterThan(2);
});

test('what is counted is there as 0 before it is first counted, so that its first is an increase', () => {
  const zeros = (definition: InstrumentDefinition) =>
    (read.get(definition.name)?.points ?? []).filter(({ value }) => value === 0).length;
  const names = 9;
  // Of each name four final states and fifteen ways to find a timeout.
  expect(
    zeros(instruments.ended) +
      Object.keys(valuesIn(instruments.ended, attribute.job, attribute.state)).length,
  ).toBe(names * 4);
  expect(zeros(instruments.timeouts)).toBe(names * 15 - 7);
});

test('an attempt that is handed back is told so, and a processor that is stopped records nothing more', async () => {
  await story[Symbol.asyncDispose]();
  read = await readings.read();
  const ofStanding = Object.entries(valuesIn(instruments.run, attribute.job, attribute.outcome));
  expect(ofStanding).toContainEqual(['standing handedBack', 1]);
  expect(valuesIn(instruments.ended, attribute.job).standing).toBe(1);
});

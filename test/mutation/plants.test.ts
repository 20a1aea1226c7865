// The planted faults fit the sources as they are: `npm run mutate` would show nothing with one that does not.

import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withMarked } from '../../scripts/marked.ts';
import { plantsTable, reliability } from '../../scripts/plantsTable.ts';
import { type Plant, StalePlantError, withFault } from './plant.ts';
import { checkout } from './plantedCopy.ts';
import { plants } from './plants.ts';

const read = (file: string) => readFileSync(join(checkout, file), 'utf8');

test.each(plants)('$name has its place in the sources once, and leaves code that can be read', (plant) => {
  const planted = withFault(read(plant.file), plant);
  expect(planted).not.toBe(read(plant.file));
  expect(() => stripTypeScriptTypes(planted)).not.toThrow();
});

test('each has a name of its own, and tests that are to notice it, in files that are there', () => {
  expect(new Set(plants.map(({ name }) => name)).size).toBe(plants.length);
  for (const { name, caughtBy } of plants) {
    expect(caughtBy.length, name).toBeGreaterThan(0);
    for (const { file } of caughtBy) expect(existsSync(join(checkout, file)), file).toBe(true);
  }
});

describe('a plant whose place', () => {
  const plant = { ...(plants[0] as Plant), find: 'a + b', put: 'a - b' };

  test.each([
    ['is gone', 'a * b', '0 times'],
    ['is there twice', 'a + b; a + b', '2 times'],
  ])('%s is refused by its name', (_, source, times) => {
    expect(() => withFault(source, plant)).toThrow(StalePlantError);
    expect(() => withFault(source, plant)).toThrow(`${plant.name}: expected its text once in ${plant.file}`);
    expect(() => withFault(source, plant)).toThrow(times);
  });
});

test('the table of docs/reliability.md is made from them (else: npm run plants)', () => {
  const text = readFileSync(reliability, 'utf8');
  expect(text).toContain(plantsTable);
  expect(withMarked(text, 'plants', plantsTable)).toBe(text);
});

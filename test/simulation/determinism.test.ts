// A seed is its history: run again it is the same to the letter, whatever ids and tokens there are, and in another process too.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { planOf } from './plan.ts';
import { simulate } from './simulation.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const inAnotherProcess = (...args: string[]) =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });

describe('a seed', () => {
  test.each([
    [2, 'memory'],
    [5, 'memory'],
    [14, 'memory'],
    [33, 'memory'],
    [5, 'sqlite'],
    [60, 'sqlite'],
  ] as const)('%i gives the same history each time, on %s', async (seed, engine) => {
    const first = await simulate(planOf(seed, engine));
    const second = await simulate(planOf(seed, engine));
    expect(first.history.length).toBeGreaterThan(20);
    expect(second).toEqual(first);
  });

  test('gives the same history in another process, by the command that a failure tells', async () => {
    const { history, steps } = await simulate(planOf(14));
    const { stdout, status } = inAnotherProcess('--seed', '14');
    expect(stdout).toBe(`${history.join('\n')}\nseed 14: ${steps} steps, no violation\n`);
    expect(status).toBe(0);
  });

  test('of another history is another one', async () => {
    const [one, other] = [await simulate(planOf(5)), await simulate(planOf(6))];
    expect(one.history).not.toEqual(other.history);
  });
});

describe('the command', () => {
  test('counts seeds, steps, faults and violations as JSON', () => {
    const { stdout, status } = inAnotherProcess('--seeds', '6', '--from', '3', '--json', '--workers', '2');
    const counted = JSON.parse(stdout);
    expect(counted).toMatchObject({ seeds: 6, violations: 0 });
    expect(counted.steps).toBeGreaterThan(100);
    const sum = Object.values<number>(counted.byKind).reduce((all, count) => all + count, 0);
    expect(counted.faults).toBe(sum);
    expect(status).toBe(0);
  });

  test('says what is wrong with what it was given', () => {
    const { stderr, status } = inAnotherProcess('--seeds', 'many');
    expect(stderr).toContain('expected a whole number for --seeds, got many');
    expect(status).toBe(2);
  });
});

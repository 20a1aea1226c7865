// Chaos on PostgreSQL, short: real machines, as far as one kernel can make them, really killed and cut off. `npm run chaos -- --engine postgres` runs
// it for longer. A seed of its own each time, told where it fails: the kernel's schedule is not in our hands, the choices are.

import { beforeAll, describe, expect, test } from 'vitest';
import { chaosOnPostgres, type PostgresChaosReport, whyNoChaos } from './chaos.ts';
import { Lan } from './lan.ts';

const whyNot = whyNoChaos();
const whyNoMachines = Lan.whyNot();

describe.skipIf(whyNot !== null)(`chaos on PostgreSQL${whyNot === null ? '' : `: ${whyNot}`}`, () => {
  let report: PostgresChaosReport;
  beforeAll(async () => {
    report = await chaosOnPostgres({ seconds: 25, seed: Date.now() % 1_000_000, progress: () => {} });
  }, 240_000);

  test('nothing acknowledged is lost, nothing is there twice, no limit is passed, whoever is killed, stopped or cut off', () => {
    expect(report, `seed ${report.seed}`).toMatchObject({
      ...{ lost: 0, doubled: 0, settledTwice: 0, limitsExceeded: 0, chunksRepeatedAfterCheckpoint: 0 },
      ...{ aliveTwice: 0, endedByThemselves: 0, notEnded: 0, findings: [] },
    });
    expect(Object.values(report.faults).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(5);
    expect(report.acknowledged).toBeGreaterThan(0);
    expect(report.completed).toBeGreaterThan(0);
    expect(report.ticks).toBeGreaterThan(0);
  });

  test.skipIf(whyNoMachines !== null)(
    `machines are cut off${whyNoMachines === null ? '' : `: left out, for ${whyNoMachines}`}`,
    () => {
      const { linkDown, packetsDropped } = report.faults;
      expect(linkDown + packetsDropped).toBeGreaterThan(0);
    },
  );
});

// Machines that submit and work on one PostgreSQL server, each with its own network and processes: they are killed, stopped, cut off and
// delayed, and so is the server, until time is up; then all faults are lifted, all is drained and counted. The promise: nothing acknowledged
// is lost, nothing is there twice, no limit is passed, no chunk is run again after its checkpoint was acknowledged, and no attempt of a job
// lives beside another.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { mulberry32 } from '../../../examples/reconcile/generate.ts';
import { findBinaries } from '../../support/ownPostgres.ts';
import { Database } from './database.ts';
import { type FaultKind, Faults } from './faults.ts';
import { type JournalCount, readJournal } from './journal.ts';
import { judge, type StoredCount } from './judge.ts';
import { Lan } from './lan.ts';
import { Place } from './place.ts';
import { Wire } from './wire.ts';
import { Witness } from './witness.ts';

export interface PostgresChaosReport extends StoredCount, JournalCount {
  seed: number;
  /** Of processes of ours, and of the server. */
  kills: number;
  acknowledged: number;
  /** Looks at the database with more attempts alive than a limit, and such beginnings in the histories. */
  limitsExceeded: number;
  /** Workers that ended though nobody killed them. */
  endedByThemselves: number;
  /** Jobs that were not over when the time to drain was. */
  notEnded: number;
  faults: Record<FaultKind, number>;
  /** Kinds that cannot be done here, and why. */
  skippedFaults: FaultKind[];
  skippedBecause: string | null;
  /** Of what is wrong, one line each. */
  findings: string[];
}

const workers = 3;
const submitters = 2;
/** Leases run out, attempts are recovered, backoffs pass, and the rest is done. */
const drainMs = 180_000;

/** Why it cannot be done here at all; null where it can. */
export function whyNoChaos(): string | null {
  return findBinaries() === null ? 'no PostgreSQL server is installed: no initdb and postgres found' : null;
}

export async function chaosOnPostgres(options: {
  seconds: number;
  seed: number;
  progress(line: string): void;
}): Promise<PostgresChaosReport> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-chaos-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const database = stack.use(await Database.start());
  const skippedBecause = Lan.whyNot();
  const lan = skippedBecause === null ? stack.use(await Lan.open(folder)) : null;
  const heard = new Hearing();
  const places: Place[] = [];
  stack.defer(() => {
    for (const place of places) place.end();
  });
  const journal = join(folder, 'journal');
  const add = async (
    script: string,
    args: () => readonly (string | number)[],
    line: (line: string) => void,
  ) => {
    const wire = await Wire.open(lan?.address ?? '127.0.0.1', database.server.port);
    const machine = (await lan?.machine()) ?? null;
    const url = `postgres://machine@${lan?.address ?? '127.0.0.1'}:${wire.port}/test`;
    const path = fileURLToPath(new URL(script, import.meta.url));
    const place = new Place({
      ...{ wire, machine, heard: line },
      env: { ...process.env, CHAOS_JOURNAL: journal },
      args: () => [path, url, ...args().map(String)],
    });
    places.push(place);
    return place;
  };
  const submitting: Place[] = [];
  for (let first = 0; first < submitters; first += 1) {
    let next = first;
    const line = (line: string) => {
      next = heard.line(line, submitters) ?? next;
    };
    submitting.push(await add('submitter.ts', () => [next, submitters, options.seed], line));
  }
  for (let number = 1; number <= workers; number += 1)
    await add(
      'worker.ts',
      () => [join(folder, `worker-${number}.log`)],
      () => {},
    );

  const witness = new Witness(database.server.url());
  stack.defer(() => witness.end());
  const chance = mulberry32(options.seed);
  const faults = new Faults({ places, database, hasMachines: lan !== null }, chance);
  const startMissing = () =>
    Promise.all(places.filter(({ isTroubled }) => !isTroubled).map((place) => place.start()));
  const until = performance.now() + options.seconds * 1000;
  while (performance.now() < until) {
    await startMissing();
    await sleep(200 + chance() * 1200);
    await faults.begin();
    const done = Object.values(faults.counts).reduce((sum, n) => sum + n, 0);
    options.progress(`${done} faults, ${heard.acknowledged.size} submits acknowledged`);
  }
  await faults.liftAll();
  for (const place of submitting) place.end();
  await database.unschedule();
  const last = performance.now() + drainMs;
  let notEnded: number;
  for (;;) {
    await startMissing();
    notEnded = await database.open();
    if (notEnded === 0 || performance.now() > last) break;
    options.progress(`draining: ${notEnded} left`);
    await sleep(200);
  }
  await witness.end();
  const { exceeded, findings, ...stored } = await judge(database.server, heard);
  const ran = readJournal(journal);
  const { workerKilled, jobKilled, databaseKilled } = faults.counts;
  return {
    seed: options.seed,
    kills: workerKilled + jobKilled + databaseKilled,
    acknowledged: heard.acknowledged.size,
    ...stored,
    limitsExceeded: witness.exceeded.length + exceeded.length,
    ...ran,
    endedByThemselves: places.reduce((sum, place) => sum + place.endedByItself, 0),
    notEnded,
    faults: faults.counts,
    ...{ skippedFaults: faults.leftOut, skippedBecause },
    findings: [...findings, ...exceeded, ...witness.exceeded, ...ran.findings],
  };
}

/** What the submitters have said, in all their lives. */
class Hearing {
  readonly acknowledged = new Set<string>();
  readonly acts = new Map<string, Set<string>>();
  readonly told = new Map<string, string>();
  /** Where it was about a new job: the number with which the submitter's next life begins. */
  line(line: string, step: number): number | undefined {
    const [said = '', key = '', state = ''] = line.split(' ');
    if (said === 'ok') this.acknowledged.add(key);
    if (said === 'told') this.told.set(key, state);
    if (said === 'cancelled' || said === 'timedOut')
      this.acts.set(key, (this.acts.get(key) ?? new Set()).add(said));
    return said === 'try' ? Number(key.slice(key.indexOf('-') + 1)) + step : undefined;
  }
}

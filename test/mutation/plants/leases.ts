// Faults in what ends an attempt before its lease is over: who takes the job over may be on another machine, and cannot.

import type { Catcher, Plant } from '../plant.ts';

const leases = (test: string): Catcher => ({ file: 'test/runtime/leases.test.ts', test });
const histories: Catcher = {
  file: 'test/simulation/seeds.test.ts',
  test: 'keep every promise on memory in 50 histories from seed 1 on',
};

const endsFirst = 'one at a time: an attempt ends before its lease does';

export const leasePlants: Plant[] = [
  {
    name: 'host-lets-leases-end',
    fault: 'a host that cannot renew a lease goes on',
    promise: endsFirst,
    file: 'src/runtime/liveJobs.ts',
    find: "if (leaseUntil <= from) actor.send({ type: 'lease.lost' });",
    put: 'if (leaseUntil <= 0) actor.send({ type: "lease.lost" });',
    caughtBy: [
      leases('the host ends an attempt a quarter of its lease before that is over'),
      leases('inline code, which cannot be ended, is asked to stop by then'),
    ],
  },
  {
    name: 'watchdog-knows-no-lease',
    fault: 'the watchdog is not told when the lease of its attempt ends',
    promise: endsFirst,
    file: 'src/runtime/liveJobs.ts',
    find: 'return engine.spansMachines ? leaseUntil - lease.watchdogMarginMs : Infinity;',
    put: 'return engine.spansMachines && leaseUntil < 0 ? leaseUntil - lease.watchdogMarginMs : Infinity;',
    caughtBy: [
      leases('where the host itself stands still, the watchdog ends the attempt before its lease is over'),
      histories,
    ],
  },
  {
    name: 'lease-counts-from-the-answer',
    fault: 'a lease counts from when the answer to its renewal came',
    promise: endsFirst,
    file: 'src/actors/leaseKeeper.ts',
    find: 'const sentAt = clock.monotonic();\n      const replies = await engine.beat(beats, leaseMs);',
    put: 'const replies = await engine.beat(beats, leaseMs);\n      const sentAt = clock.monotonic();',
    caughtBy: [
      {
        file: 'test/actors/leaseKeeper.test.ts',
        test: 'a lease counts from when its renewal was sent, however late the answer comes',
      },
    ],
  },
  {
    name: 'code-before-its-group',
    fault: 'the code of an attempt begins before its process group is stored',
    promise: 'one at a time: whoever takes a job over finds what is left of its last attempt',
    file: 'src/actors/isolation/isolatedAttempt.ts',
    find: 'else port.started(child.group).then(begin);',
    put: 'else { port.started(child.group); begin(); }',
    caughtBy: [
      {
        file: 'test/actors/isolatedAttempt.test.ts',
        test: 'it is held, watched within its limits, and told what to run once its processes can be found',
      },
    ],
  },
  {
    name: 'group-taken-for-stored',
    fault: 'a beat that found its row locked is taken for one that stored the group',
    promise: 'one at a time: whoever takes a job over finds what is left of its last attempt',
    file: 'src/runtime/liveJobs.ts',
    find: 'if (renewed) this.#renew(live, beat, sentAt);',
    put: 'if (held || renewed) this.#renew(live, beat, sentAt);',
    caughtBy: [
      leases('its processes are stored before its code begins, and told again until they are'),
      leases('the host ends an attempt a quarter of its lease before that is over'),
    ],
  },
];

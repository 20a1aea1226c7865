// The events of all processors of this process on channels of node:diagnostics_channel, for those who instrument without a
// processor in their hands: `unstuck:job.timedOut` and the like with `{ job }`, `unstuck:queue.tooOld` with `{ queue }`.

import { type Channel, channel } from 'node:diagnostics_channel';
import { jobStates } from '../machines/states.ts';
import type { JobEvents } from './status.ts';

const jobEvents = [...jobStates, 'progress', 'unconfirmed', 'superseded'] as const;

export const channels: Readonly<Record<keyof JobEvents, Channel>> = {
  ...(Object.fromEntries(jobEvents.map((event) => [event, channel(`unstuck:job.${event}`)])) as Record<
    (typeof jobEvents)[number],
    Channel
  >),
  queueTooOld: channel('unstuck:queue.tooOld'),
};

// Notifications to other systems: from an end that is being stored to the deliveries that are stored with it, one for each
// target that wants it. What a target is called is all of it that is stored; its address and its secrets stay in the options.

import { v7 as uuid } from 'uuid';
import type { Clock } from '../../engines/clock.ts';
import type { FrozenSettings, NewJob, StoredJob } from '../../engines/engine.ts';
import type { Verdict } from '../../machines/verdict.ts';
import type { AnyDefinition } from '../definitions.ts';
import { resolveSettings } from '../settings.ts';
import delivery, { type Destination } from './delivery.ts';
import {
  jobNotification,
  type Notification,
  type NotificationEvent,
  type QueueAge,
  queueNotification,
} from './notification.ts';
import type { Target } from './targets.ts';

/** Names of jobs of our own begin so. */
export const ownPrefix = 'unstuck.';
const nameOf = (target: string) => `${ownPrefix}webhook.${target}`;

export class Webhooks {
  /** By the name of their jobs. */
  readonly definitions: ReadonlyMap<string, AnyDefinition>;
  readonly #targets: readonly Target[];
  readonly #settings: FrozenSettings;
  readonly #clock: Clock;

  constructor(targets: readonly Target[], clock: Clock) {
    this.#targets = targets;
    this.#clock = clock;
    this.definitions = new Map(
      targets.map(({ name, url, secrets, headers, answerSeconds }) => {
        const given: Destination = { target: name, url, secrets, headers, answerSeconds };
        return [nameOf(name), { ...(delivery as AnyDefinition), given }];
      }),
    );
    this.#settings = resolveSettings([delivery], { chunked: false, isolation: 'process' });
  }

  /** Of the end of an attempt, or of a job at rest. To be stored with it. */
  followUps(job: StoredJob, verdict: Verdict): NewJob[] {
    if (this.#targets.length === 0 || verdict.state === 'queued') return [];
    // Said before, when it was found; and again here, in case that was not stored.
    const isUnproven = verdict.stop?.confirmed === false;
    return [
      ...(isUnproven ? this.unconfirmed(job, verdict) : []),
      ...this.#ofJob(verdict.state, job, verdict, null),
    ];
  }

  /** Its attempt could not be proven ended. */
  unconfirmed(job: StoredJob, verdict: Pick<Verdict, 'timeout' | 'reason' | 'stop'>): NewJob[] {
    const facts = { ...verdict, failure: null, notBefore: null };
    return this.#ofJob('unconfirmed', job, facts, `unconfirmed ${job.id} ${job.attempt}`);
  }

  queueTooOld(queue: QueueAge): NewJob[] {
    const notification = queueNotification(queue, this.#clock.now());
    // Found by each process, and told once.
    const once = `queueTooOld ${queue.name} ${queue.since.getTime()}`;
    return this.#deliveries('queueTooOld', queue.name, null, notification, once);
  }

  #ofJob(
    event: Exclude<NotificationEvent, 'queueTooOld'>,
    job: StoredJob,
    verdict: Parameters<typeof jobNotification>[2],
    once: string | null,
  ): NewJob[] {
    // A delivery that fails is not told to those it fails to reach.
    if (this.#targets.length === 0 || job.name.startsWith(ownPrefix)) return [];
    const notification = jobNotification(event, job, verdict, this.#clock.now());
    return this.#deliveries(event, job.name, job, notification, once);
  }

  #deliveries(
    event: NotificationEvent,
    of: string,
    job: StoredJob | null,
    notification: Notification,
    once: string | null,
  ): NewJob[] {
    const wanted = this.#targets.filter(
      ({ events, jobs }) => events.has(event) && (jobs === null || jobs.has(of)),
    );
    return wanted.map(({ name }) => ({
      id: uuid(),
      name: nameOf(name),
      input: JSON.stringify(notification),
      settings: this.#settings,
      priority: 0,
      notBefore: null,
      idempotencyKey: once,
      concurrencyKey: job?.id ?? `queue of ${of}`,
      keyLimit: 1,
      inOrder: true,
      retryOf: null,
      // It belongs to what it tells of.
      trace: job?.trace ?? null,
    }));
  }
}

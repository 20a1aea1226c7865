// Whether the processor keeps up, what timed out lately, and the way to drain it.

import { html, useEffect, useState } from './library.js';
import { act, read } from './wire.js';
import { seconds } from './words.js';

/** @import { ToldQueue, ToldStatus } from '../answers.ts' */
/** @import { LiveFeed } from './feed.js' */

export function Health(/** @type {{ feed: LiveFeed }} */ { feed }) {
  const { health, counts, limit } = feed.facts;
  const [queue, setQueue] = useState(/** @type {ToldQueue | null} */ (null));
  const [ended, setEnded] = useState(/** @type {readonly ToldStatus[]} */ ([]));
  useEffect(() => {
    const look = () => {
      read('queue').then(setQueue, () => {});
      const since = new Date(Date.now() - 86_400_000).toISOString();
      read(`jobs?state=timedOut&from=${since}&limit=500`).then(
        ({ jobs }) => setEnded(jobs),
        () => {},
      );
    };
    look();
    const timer = setInterval(look, 5000);
    return () => clearInterval(timer);
  }, []);
  const lastHour = ended.filter(
    ({ endedAt }) => endedAt !== null && Date.now() - new Date(endedAt).getTime() < 3_600_000,
  );
  const kinds = Object.entries(Object.groupBy(lastHour, ({ timeout }) => timeout ?? 'job'));
  const took = lastHour
    .map(({ stop }) => stop?.tookSeconds ?? null)
    .filter((value) => value !== null)
    .sort((a, b) => a - b);
  const waits =
    queue === null
      ? ''
      : queue.next === null
        ? String(queue.length)
        : `${queue.length}, the next for ${seconds(feed.facts.at - new Date(queue.next.submittedAt).getTime())}`;
  const [told, setTold] = useState('');
  const [isAsked, setIsAsked] = useState(false);
  const drain = () => {
    setIsAsked(false);
    act('drain', { by: 'the page' }).then(
      () => setTold('draining: nothing more starts here'),
      (error) => setTold(error.message),
    );
  };
  return html`<section aria-labelledby="health">
    <h2 id="health">Health: ${health?.status ?? 'not known yet'}</h2>
    <ul>${(health?.reasons ?? []).map((reason) => html`<li>${reason}</li>`)}</ul>
    <dl>
      <dt>waiting</dt><dd>${waits}</dd>
      <dt>timed out in the last hour</dt><dd>${kinds.length === 0 ? 'none' : kinds.map(([kind, jobs]) => `${kind}: ${jobs?.length}`).join(', ')}</dd>
      <dt>their stops took</dt><dd>${took.length === 0 ? 'none was needed' : `${took[took.length >> 1]} s in the middle, ${took.at(-1)} s at most`}</dd>
      <dt>slots held</dt><dd>${feed.jobs.size} of ${limit}</dd>
      ${Object.entries(counts ?? {}).map(([state, count]) => html`<dt>${state}</dt><dd>${count}</dd>`)}
    </dl>
    <p><button class="danger" onClick=${() => setIsAsked(true)}>Drain</button></p>
    ${
      isAsked
        ? html`<p role="alert">Really start nothing more in this processor?
            <button class="danger" onClick=${drain}>Yes, drain it</button>
            <button onClick=${() => setIsAsked(false)}>No</button></p>`
        : null
    }
    <p role="status">${told}</p>
  </section>`;
}

// Whether the processor keeps up, what timed out lately, and the way to drain it.

import { html, useEffect, useState } from './library.js';
import { act, read } from './wire.js';
import { seconds } from './words.js';

/** @import { ToldQueue, ToldStats, ToldSummary } from '../answers.ts' */
/** @import { LiveFeed } from './feed.js' */

export function Health(/** @type {{ feed: LiveFeed }} */ { feed }) {
  const { health, counts, limit } = feed.facts;
  const [queue, setQueue] = useState(/** @type {ToldQueue | null} */ (null));
  const [stats, setStats] = useState(/** @type {ToldStats | null} */ (null));
  const [ended, setEnded] = useState(/** @type {readonly ToldSummary[]} */ ([]));
  useEffect(() => {
    const look = () => {
      read('queue').then(setQueue, () => {});
      read('stats').then(setStats, () => {});
      read('jobs?state=timedOut&limit=500').then(
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
  const kinds = Object.entries(stats?.lastHour.timeouts ?? {}).filter(([, count]) => count > 0);
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
      <dt>timed out in the last hour</dt><dd>${kinds.length === 0 ? 'none' : kinds.map(([kind, count]) => `${kind}: ${count}`).join(', ')}</dd>
      <dt>stops of the last of them took</dt><dd>${took.length === 0 ? 'none was needed' : `${took[took.length >> 1]} s in the middle, ${took.at(-1)} s at most`}</dd>
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

// Every job, found on the server and shown page by page.

import { html, useEffect, useRef, useState } from './library.js';
import { read } from './wire.js';
import { time } from './words.js';

/** @import { ToldPage } from '../answers.ts' */

export function Jobs(
  /** @type {{ states: string[], chosen: string, open: (id: string) => void }} */ { states, chosen, open },
) {
  const [query, setQuery] = useState({ state: chosen, name: '', key: '', from: '', before: '' });
  const [page, setPage] = useState(
    /** @type {ToldPage & { error: string | null }} */ ({ jobs: [], next: null, error: null }),
  );
  const loads = useRef(0);
  const load = async (/** @type {string | null} */ after) => {
    loads.current += 1;
    const mine = loads.current;
    const params = new URLSearchParams({ limit: '50' });
    for (const [name, value] of Object.entries(query)) {
      if (value !== '')
        params.set(name, name === 'from' || name === 'before' ? new Date(value).toISOString() : value);
    }
    if (after !== null) params.set('after', after);
    try {
      const found = await read(`jobs?${params}`);
      // Answers may overtake each other: what was asked last is shown.
      if (mine !== loads.current) return;
      setPage((shown) => ({
        jobs: after === null ? found.jobs : [...shown.jobs, ...found.jobs],
        next: found.next,
        error: null,
      }));
    } catch (error) {
      if (mine !== loads.current) return;
      setPage({ jobs: [], next: null, error: /** @type {Error} */ (error).message });
    }
  };
  useEffect(() => void load(null), [query]);
  const set =
    (/** @type {string} */ field) =>
    (/** @type {{ currentTarget: HTMLInputElement | HTMLSelectElement }} */ { currentTarget: { value } }) =>
      setQuery((before) => ({ ...before, [field]: value }));
  // The fields keep what is typed themselves: the page is drawn anew with each message of the feed.
  return html`<section aria-labelledby="jobs">
    <h2 id="jobs">Jobs, newest first</h2>
    <div class="filters">
      <label>state
        <select value=${query.state} onChange=${set('state')}>
          <option value="">any</option>
          ${states.map((state) => html`<option value=${state}>${state}</option>`)}
        </select>
      </label>
      <label>name <input onChange=${set('name')} /></label>
      <label>key <input onChange=${set('key')} /></label>
      <label>submitted from <input type="datetime-local" onChange=${set('from')} /></label>
      <label>before <input type="datetime-local" onChange=${set('before')} /></label>
      <button onClick=${() => load(null)}>Refresh</button>
    </div>
    ${page.error === null ? null : html`<p class="bad" role="alert">${page.error}</p>`}
    <div class="wide" tabindex="0" role="region" aria-label="jobs, to scroll">
      <table class="jobs">
        <thead><tr><th scope="col">job</th><th scope="col">name</th><th scope="col">state</th><th scope="col" class="optional">node</th><th scope="col" class="optional">attempt</th><th scope="col">submitted</th><th scope="col" class="optional">why</th></tr></thead>
        <tbody>
          ${page.jobs.map(
            (job) => html`<tr key=${job.id}>
              <td><button onClick=${() => open(job.id)}>${job.id}</button></td>
              <td>${job.name}</td>
              <td>${job.state}</td>
              <td class="optional">${job.node ?? ''}</td>
              <td class="optional">${job.attempt} of ${job.maxAttempts}</td>
              <td>${time(job.submittedAt)}</td>
              <td class="optional">${job.timeout === null ? (job.reason ?? job.failure?.message ?? '') : `${job.timeout} timeout`}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${page.jobs.length === 0 ? html`<p class="soft">None.</p>` : null}
    ${page.next === null ? null : html`<button onClick=${() => load(page.next)}>More</button>`}
  </section>`;
}

// The live page: its views and the way between them. Where it is stands in the address, so that a view can be kept and gone back to.

import { Chart } from './chart.js';
import { useFeed } from './feed.js';
import { Health } from './health.js';
import { Job } from './job.js';
import { Jobs } from './jobs.js';
import { html, render, useEffect, useState } from './library.js';
import { Nodes } from './nodes.js';
import { Now } from './now.js';

const views = ['Now', 'Nodes', 'Chart', 'Jobs', 'Health'];

/** `#Jobs/failed` or `#job/ID`: a view and what is chosen in it. */
function usePlace() {
  const read = () => {
    const [view = '', chosen = ''] = location.hash.slice(1).split('/').map(decoded);
    return { view: view === 'job' || views.includes(view) ? view : 'Now', chosen };
  };
  const [place, setPlace] = useState(read());
  useEffect(() => {
    const moved = () => setPlace(read());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return place;
}

/** Anybody can write an address. */
function decoded(/** @type {string} */ part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function go(/** @type {string} */ view, chosen = '') {
  location.hash = chosen === '' ? view : `${view}/${encodeURIComponent(chosen)}`;
}

function Page() {
  const feed = useFeed();
  const { view, chosen } = usePlace();
  const open = (/** @type {string} */ id) => go('job', id);
  const choose = (/** @type {string} */ state) => go('Jobs', state);
  const { facts } = feed;
  const status = !feed.isOpen ? 'not connected, trying again' : (facts?.health?.status ?? 'connected');
  const tone = !feed.isOpen || status === 'down' ? 'bad' : status === 'degraded' ? 'warn' : 'good';
  const shown = () => {
    if (facts === null) return html`<p class="soft">connecting</p>`;
    if (view === 'job')
      return html`<${Job} key=${chosen} id=${chosen} feed=${feed} open=${open} choose=${choose} />`;
    if (view === 'Nodes') return html`<${Nodes} open=${open} />`;
    if (view === 'Chart') return html`<${Chart} feed=${feed} choose=${choose} />`;
    if (view === 'Jobs')
      return html`<${Jobs} key=${chosen} states=${Object.keys(facts.counts ?? {})} chosen=${chosen} open=${open} />`;
    if (view === 'Health') return html`<${Health} feed=${feed} />`;
    return html`<${Now} feed=${feed} open=${open} />`;
  };
  return html`
    <header>
      <h1>Unstuck</h1>
      <nav aria-label="views">
        ${views.map((name) => html`<button aria-current=${view === name ? 'page' : undefined} onClick=${() => go(name)}>${name}</button>`)}
      </nav>
      <span class="badge ${tone}" role="status">${status}</span>
    </header>
    <main>${shown()}</main>
  `;
}

render(html`<${Page} />`, /** @type {HTMLElement} */ (document.getElementById('page')));

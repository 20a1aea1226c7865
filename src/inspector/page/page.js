// The live page: what runs now and what will happen to it, the chart that all jobs go through, every job, health. It
// reads by server-sent events and GET, and acts by POST with the token it was opened with. Nothing here knows the
// states: they come from the machine (`chart`) and from the counts.

import { html, render, useEffect, useRef, useState } from './library.js';

/** @import { ActAnswers, Answers, ToldChart, ToldFacts, ToldLine, ToldMessage, ToldPage, ToldQueue, ToldStatus } from '../answers.ts' */
/** @typedef {{ isOpen: boolean, jobs: Map<string, ToldLine>, facts: ToldFacts | null, lit: Map<string, number> }} Feed */
/** @typedef {Feed & { facts: ToldFacts }} LiveFeed What has heard its first message. */

const mostLanes = 200;
const tokenKey = 'unstuck.token';
const fromHash = /^#token=(.+)$/.exec(location.hash)?.[1];
if (fromHash !== undefined) {
  sessionStorage.setItem(tokenKey, decodeURIComponent(fromHash));
  history.replaceState(null, '', location.pathname);
}

const time = (/** @type {string | number | null} */ at) => (at === null ? '' : new Date(at).toLocaleString());
const ago = (/** @type {number | null} */ at, /** @type {number} */ now) =>
  at === null ? '' : seconds(now - at);

function seconds(/** @type {number} */ ms) {
  const total = Math.max(0, ms) / 1000;
  if (total < 10) return `${total.toFixed(1)} s`;
  if (total < 90) return `${Math.round(total)} s`;
  if (total < 5400) return `${Math.round(total / 60)} min`;
  return `${(total / 3600).toFixed(1)} h`;
}

/**
 * @template {keyof Answers} P
 * @param {P} path
 * @returns {Promise<Answers[P]>}
 */
async function read(path) {
  const response = await fetch(path);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

/**
 * @template {keyof ActAnswers} P
 * @param {P} path
 * @param {{ by: string }} body
 * @returns {Promise<ActAnswers[P]>}
 */
async function act(path, body) {
  const token = sessionStorage.getItem(tokenKey) ?? '';
  const headers = {
    'content-type': 'application/json',
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** What the server tells, message by message. */
function useFeed() {
  const [feed, setFeed] = useState(
    /** @type {Feed} */ ({
      isOpen: false,
      jobs: new Map(),
      facts: null,
      lit: new Map(),
    }),
  );
  useEffect(() => {
    const source = new EventSource('events');
    const jobs = /** @type {Feed['jobs']} */ (new Map());
    const lit = /** @type {Feed['lit']} */ (new Map());
    source.onmessage = ({ data }) => {
      const { isWhole, jobs: changed, gone, facts } = /** @type {ToldMessage} */ (JSON.parse(data));
      if (isWhole) jobs.clear();
      for (const id of gone) jobs.delete(id);
      for (const job of changed) jobs.set(job.id, job);
      for (const [, , state] of facts.transitions) lit.set(state, facts.at);
      setFeed({ isOpen: true, jobs, facts, lit });
    };
    source.onerror = () => setFeed((before) => ({ ...before, isOpen: false }));
    return () => source.close();
  }, []);
  return feed;
}

const soonest = (/** @type {ToldLine} */ { due }) => due[0]?.at ?? Infinity;

function Lane(/** @type {{ job: ToldLine, now: number, open: (id: string) => void }} */ { job, now, open }) {
  const end = Math.max(now + 1000, ...job.due.map(({ at }) => at));
  const startedAt = job.startedAt ?? now;
  const span = Math.max(1, Math.min(end, now + 10 * Math.max(1000, soonest(job) - now)) - startedAt);
  const at = (/** @type {number} */ when) => Math.min(100, Math.max(0, ((when - startedAt) / span) * 100));
  const part = job.total ? Math.min(1, job.items / job.total) : null;
  const [next] = job.due;
  const words = [
    job.isUnconfirmed ? 'could not be proven stopped, holds its slot' : job.state,
    job.rung !== null && job.state === 'stopping' ? `rung ${job.rung}` : '',
    `for ${ago(startedAt, now)}`,
    `attempt ${job.attempt}`,
    job.chunks > 0 ? `${job.chunks} chunks` : '',
    part === null ? '' : `${Math.round(part * 100)} %`,
    job.heartbeatAt === null ? '' : `last heartbeat ${ago(job.heartbeatAt, now)} ago`,
    next === undefined ? '' : `${next.kind} timeout in ${seconds(next.at - now)}`,
  ];
  const tone = job.isUnconfirmed ? 'bad' : job.state === 'stopping' ? 'warn' : 'soft';
  return html`<li class="lane">
    <button onClick=${() => open(job.id)}>${job.name} <span class="soft">${job.id}</span></button>
    <div>
      <div class="bar" aria-hidden="true">
        <svg viewBox="0 0 100 10" preserveAspectRatio="none">
          <rect class="fill" x="0" y="0" height="10" width=${at(now)} />
          <line class="now" x1=${at(now)} x2=${at(now)} y1="0" y2="10" vector-effect="non-scaling-stroke" />
          ${job.due.map(
            (due) =>
              html`<line class="mark" x1=${at(due.at)} x2=${at(due.at)} y1="0" y2="10" vector-effect="non-scaling-stroke" />`,
          )}
        </svg>
      </div>
      <div class=${tone}>${words.filter(Boolean).join(' · ')}</div>
    </div>
  </li>`;
}

function Now(/** @type {{ feed: LiveFeed, open: (id: string) => void }} */ { feed, open }) {
  const { facts, jobs } = feed;
  const lines = [...jobs.values()].sort(
    (a, b) =>
      Number(b.isUnconfirmed) - Number(a.isUnconfirmed) || soonest(a) - soonest(b) || (a.id < b.id ? -1 : 1),
  );
  const shown = lines.slice(0, mostLanes);
  const reasons = facts.health?.reasons ?? [];
  return html`<section aria-labelledby="now">
    <h2 id="now">${lines.length} alive, ${facts.limit} slots; what ends first stands first</h2>
    ${reasons.length === 0 ? null : html`<ul class="warn">${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
    ${lines.length === 0 ? html`<p class="soft">No job is alive here. ${facts.counts?.queued ?? 0} wait.</p>` : null}
    <ul class="lanes">
      ${shown.map((job) => html`<${Lane} key=${job.id} job=${job} now=${facts.at} open=${open} />`)}
    </ul>
    ${lines.length > shown.length ? html`<p class="soft">and ${lines.length - shown.length} more</p>` : null}
  </section>`;
}

function Chart(
  /** @type {{ feed: LiveFeed, current?: string, choose: (state: string) => void }} */ {
    feed,
    current,
    choose,
  },
) {
  const [chart, setChart] = useState(/** @type {ToldChart | null} */ (null));
  useEffect(() => void read('chart').then(setChart), []);
  if (chart === null) return html`<p class="soft">drawing</p>`;
  const { at } = feed.facts;
  const counts = new Map(Object.entries(feed.facts.counts ?? {}));
  const path = (/** @type {ToldChart['arrows'][number]['points']} */ points) =>
    points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join(' ');
  const state = (/** @type {ToldChart['states'][number]} */ drawn) => {
    const isTop = drawn.parent === null;
    const isGroup = chart.states.some((other) => other.parent === drawn.id);
    const isLit = isTop && at - (feed.lit.get(drawn.name) ?? 0) < 1500;
    const count = isTop ? counts.get(drawn.name) : undefined;
    const label = count === undefined ? drawn.name : `${drawn.name} ${count} jobs`;
    const names = [isGroup ? 'group' : '', isLit ? 'lit' : '', current === drawn.name && isTop ? 'is' : ''];
    const act = isTop && count !== undefined ? () => choose(drawn.name) : undefined;
    return html`<g
      key=${drawn.id}
      class=${names.filter(Boolean).join(' ')}
      role=${act === undefined ? undefined : 'button'}
      tabindex=${act === undefined ? undefined : '0'}
      aria-label=${act === undefined ? undefined : label}
      onClick=${act}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => (event.key === 'Enter' || event.key === ' ') && act?.()}
    >
      <rect x=${drawn.x} y=${drawn.y} width=${drawn.width} height=${drawn.height} rx=${drawn.isFinal ? 18 : 6} />
      <text x=${drawn.x + 10} y=${drawn.y + (isGroup ? 16 : 17)}>${drawn.name}</text>
      ${
        count === undefined
          ? null
          : html`<text class="count" x=${drawn.x + 10} y=${drawn.y + (isGroup ? 32 : 33)}>${` ${count} jobs`}</text>`
      }
    </g>`;
  };
  return html`<section aria-labelledby="chart">
    <h2 id="chart">The life of a job</h2>
    <p class="soft">Drawn from the machine itself. A state with its number of jobs; choose one to list them.</p>
    <div class="wide" tabindex="0" role="region" aria-label="the chart, to scroll">
      <svg class="chart" viewBox=${chart.viewBox} role="group" aria-label="state chart">
        <defs>
          <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
            <path d="M0 0L8 4L0 8z" />
          </marker>
        </defs>
        ${chart.states.filter(({ parent }) => parent === null).map(state)}
        ${chart.states.filter(({ parent }) => parent !== null).map(state)}
        ${chart.arrows.map(
          ({ from, to, labels, points }) =>
            html`<path d=${path(points)} marker-end="url(#tip)"><title>${from} to ${to}: ${labels.join(', ')}</title></path>`,
        )}
      </svg>
    </div>
  </section>`;
}

function Jobs(
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
        <thead><tr><th scope="col">job</th><th scope="col">name</th><th scope="col">state</th><th scope="col" class="optional">attempt</th><th scope="col">submitted</th><th scope="col" class="optional">why</th></tr></thead>
        <tbody>
          ${page.jobs.map(
            (job) => html`<tr key=${job.id}>
              <td><button onClick=${() => open(job.id)}>${job.id}</button></td>
              <td>${job.name}</td>
              <td>${job.state}</td>
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

function Job(
  /** @type {{ id: string, feed: LiveFeed, close: () => void, open: (id: string) => void, choose: (state: string) => void }} */ {
    id,
    feed,
    close,
    open,
    choose,
  },
) {
  const [job, setJob] = useState(/** @type {ToldStatus | null} */ (null));
  const [told, setTold] = useState(/** @type {{ text: string, isBad: boolean } | null} */ (null));
  const [asked, setAsked] = useState(/** @type {string | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const line = JSON.stringify(feed.jobs.get(id) ?? null);
  const look = () =>
    read(`jobs/${encodeURIComponent(id)}`).then(setJob, (error) =>
      setTold({ text: error.message, isBad: true }),
    );
  useEffect(() => void look(), [id, line === 'null', feed.jobs.get(id)?.state, feed.jobs.get(id)?.chunks]);
  useEffect(() => void heading.current?.focus(), [id, job === null]);
  if (job === null)
    return html`<section><p class="soft">${told?.text ?? 'reading'}</p><button onClick=${close}>Back</button></section>`;
  const isFinal = job.endedAt !== null;
  const carryOut = async (/** @type {string} */ name) => {
    setAsked(null);
    setTold({ text: `${name}: under way`, isBad: false });
    try {
      const after = await act(`jobs/${encodeURIComponent(id)}/${name}`, { by: 'the page' });
      setTold({ text: `${name}: now ${after.state}`, isBad: false });
      if (after.id === id) setJob(after);
      else open(after.id);
    } catch (error) {
      setTold({ text: /** @type {Error} */ (error).message, isBad: true });
    }
  };
  const acts = isFinal ? ['retry'] : ['cancel', 'timeout'];
  const facts = {
    state: job.isUnconfirmed ? `${job.state}, could not be proven stopped: it holds its slot` : job.state,
    attempt: `${job.attempt} of ${job.maxAttempts}`,
    progress: `${job.progress.chunks} chunks, ${job.progress.items}${job.progress.total === null ? '' : ` of ${job.progress.total}`} items`,
    submitted: time(job.submittedAt),
    started: time(job.startedAt),
    ended: time(job.endedAt),
    'last heartbeat': time(job.lastHeartbeat),
    'last progress': time(job.lastProgress),
    'starts after': time(job.startAfter),
    'times out': job.due.map((due) => `${due.kind}: ${time(due.at)}`).join(', '),
    timeout: job.timeout ?? '',
    reason: job.reason ?? '',
    failure: job.failure === null ? '' : `${job.failure.name}: ${job.failure.message}`,
    stop:
      job.stop === null
        ? ''
        : `${job.stop.confirmed ? 'proven' : 'not proven'}, rung ${job.stop.rung}${job.stop.tookSeconds === null ? '' : `, in ${job.stop.tookSeconds} s`}`,
    key: job.idempotencyKey ?? '',
    'retry of': job.retryOf ?? '',
  };
  return html`<section aria-labelledby="job">
    <h2 id="job" tabindex="-1" ref=${heading}>${job.name} ${job.id}</h2>
    <div class="acts">
      <button onClick=${close}>Back</button>
      ${acts.map((name) => html`<button class=${name === 'retry' ? '' : 'danger'} onClick=${() => setAsked(name)}>${name === 'timeout' ? 'Time out now' : name[0]?.toUpperCase() + name.slice(1)}</button>`)}
    </div>
    ${
      asked === null
        ? null
        : html`<p role="alert">Really ${asked === 'timeout' ? 'time out' : asked} this job?
            <button class="danger" onClick=${() => carryOut(asked)}>Yes, ${asked === 'timeout' ? 'time it out' : `${asked} it`}</button>
            <button onClick=${() => setAsked(null)}>No</button></p>`
    }
    <p role="status" class=${told?.isBad ? 'bad' : 'soft'}>${told?.text ?? ''}</p>
    <dl>
      ${Object.entries(facts)
        .filter(([, value]) => value !== '')
        .map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    </dl>
    <h2 class="apart">History</h2>
    <table>
      <thead><tr><th scope="col">state</th><th scope="col">at</th><th scope="col">attempt</th><th scope="col">why</th></tr></thead>
      <tbody>
        ${job.history.map(
          (entry) => html`<tr>
            <td>${entry.state}</td><td>${time(entry.at)}</td><td>${entry.attempt}</td>
            <td>${[entry.timeout === undefined ? '' : `${entry.timeout} timeout`, entry.reason ?? ''].filter(Boolean).join(': ')}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    <${Chart} feed=${feed} current=${job.state} choose=${choose} />
  </section>`;
}

function Health(/** @type {{ feed: LiveFeed }} */ { feed }) {
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

const views = ['Now', 'Chart', 'Jobs', 'Health'];

function Page() {
  const feed = useFeed();
  const [view, setView] = useState('Now');
  const [chosen, setChosen] = useState('');
  const [id, setId] = useState(/** @type {string | null} */ (null));
  const show = (/** @type {string} */ name) => {
    setId(null);
    setView(name);
  };
  const choose = (/** @type {string} */ state) => {
    setId(null);
    setChosen(state);
    setView('Jobs');
  };
  const { facts } = feed;
  const status = !feed.isOpen ? 'not connected, trying again' : (facts?.health?.status ?? 'connected');
  const tone = !feed.isOpen || status === 'down' ? 'bad' : status === 'degraded' ? 'warn' : 'good';
  return html`
    <header>
      <h1>Unstuck</h1>
      <nav aria-label="views">
        ${views.map((name) => html`<button aria-current=${view === name && id === null ? 'page' : undefined} onClick=${() => show(name)}>${name}</button>`)}
      </nav>
      <span class="badge ${tone}" role="status">${status}</span>
    </header>
    <main>
      ${
        facts === null
          ? html`<p class="soft">connecting</p>`
          : id !== null
            ? html`<${Job} id=${id} feed=${feed} close=${() => setId(null)} open=${setId} choose=${choose} />`
            : view === 'Now'
              ? html`<${Now} feed=${feed} open=${setId} />`
              : view === 'Chart'
                ? html`<${Chart} feed=${feed} choose=${choose} />`
                : view === 'Jobs'
                  ? html`<${Jobs} key=${chosen} states=${Object.keys(facts.counts ?? {})} chosen=${chosen} open=${setId} />`
                  : html`<${Health} feed=${feed} />`
      }
    </main>
  `;
}

render(html`<${Page} />`, /** @type {HTMLElement} */ (document.getElementById('page')));

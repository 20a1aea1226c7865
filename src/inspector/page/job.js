// One job: where it is, what happened to it, what it was given and has said; and what can be done to it.

import { Chart } from './chart.js';
import { html, useEffect, useRef, useState } from './library.js';
import { act, read } from './wire.js';
import { seconds, time } from './words.js';

/** @import { ToldDetail } from '../answers.ts' */
/** @import { LiveFeed } from './feed.js' */

function Facts(/** @type {{ job: ToldDetail, now: number }} */ { job, now }) {
  const { stop, failure, progress } = job;
  const { chunks, items, total } = progress;
  const facts = {
    state: job.isUnconfirmed ? `${job.state}, could not be proven stopped: it holds its slot` : job.state,
    node: job.node ?? '',
    attempt: `${job.attempt} of ${job.maxAttempts}`,
    progress: `${chunks} chunks, ${items}${total === null ? '' : ` of ${total}`} items`,
    submitted: time(job.submittedAt),
    started: time(job.startedAt),
    ended: time(job.endedAt),
    'last heartbeat': time(job.lastHeartbeat),
    'last progress': time(job.lastProgress),
    'starts after': time(job.startAfter),
    'times out': job.due
      .map(({ kind, at }) => `${kind} in ${seconds(new Date(at).getTime() - now)}, ${time(at)}`)
      .join('; '),
    timeout: job.timeout ?? '',
    reason: job.reason ?? '',
    failure: failure === null ? '' : `${failure.name}: ${failure.message}`,
    stop: stop === null ? '' : stopInWords(stop),
    key: job.idempotencyKey ?? '',
    'concurrency key': job.concurrencyKey ?? '',
    'retry of': job.retryOf ?? '',
  };
  return html`<dl>
    ${Object.entries(facts)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
  </dl>`;
}

function stopInWords(/** @type {NonNullable<ToldDetail['stop']>} */ stop) {
  const { confirmed, rung, tookSeconds, signal, exitCode } = stop;
  return [
    confirmed ? 'proven ended' : 'not proven ended',
    `rung ${rung}`,
    tookSeconds === null ? '' : `in ${tookSeconds} s`,
    signal === undefined ? '' : `by ${signal}`,
    exitCode === undefined ? '' : `exit code ${exitCode}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function History(/** @type {{ job: ToldDetail }} */ { job }) {
  return html`<h2 class="apart">History</h2>
    <table>
      <thead><tr><th scope="col">state</th><th scope="col">at</th><th scope="col">attempt</th><th scope="col">why</th></tr></thead>
      <tbody>
        ${job.history.map(
          ({ state, at, attempt, timeout, reason, stop }) => html`<tr>
            <td>${state}</td><td>${time(at)}</td><td>${attempt}</td>
            <td>${[timeout === undefined ? '' : `${timeout} timeout`, reason ?? '', stop === undefined ? '' : stopInWords(stop)].filter(Boolean).join('; ')}</td>
          </tr>`,
        )}
      </tbody>
    </table>`;
}

/** What apps put into a job, as far as it may be shown. */
function Payloads(/** @type {{ job: ToldDetail }} */ { job }) {
  const { input, checkpoint, result, context } = job;
  const payloads = { input, checkpoint, result, context };
  return html`<h2 class="apart">What it knows</h2>
    ${Object.entries(payloads)
      .filter(([, value]) => value !== null)
      .map(
        ([name, value]) => html`<details open=${name !== 'context'}>
          <summary>${name}</summary>
          <pre tabindex="0" role="region" aria-label=${name}>${JSON.stringify(value, null, 2)}</pre>
        </details>`,
      )}`;
}

function Lines(/** @type {{ job: ToldDetail }} */ { job }) {
  return html`<h2 class="apart">Log, the last ${job.lines.length} lines</h2>
    ${job.lines.length === 0 ? html`<p class="soft">Nothing was said while the page was served here.</p>` : null}
    <ol class="log">
      ${job.lines.map(({ at, level, msg, fields }) => {
        const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
        return html`<li class=${level === 'error' || level === 'fatal' ? 'bad' : level === 'warn' ? 'warn' : ''}>
          <span class="soft">${at === null ? '' : new Date(at).toLocaleTimeString()}</span> ${level} ${msg}<span class="soft">${rest}</span>
        </li>`;
      })}
    </ol>`;
}

export function Job(
  /** @type {{ id: string, feed: LiveFeed, open: (id: string) => void, choose: (state: string) => void }} */ {
    id,
    feed,
    open,
    choose,
  },
) {
  const [job, setJob] = useState(/** @type {ToldDetail | null} */ (null));
  const [told, setTold] = useState(/** @type {{ text: string, isBad: boolean } | null} */ (null));
  const [asked, setAsked] = useState(/** @type {string | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const line = feed.jobs.get(id);
  const [failed, setFailed] = useState('');
  const look = () =>
    read(`jobs/${encodeURIComponent(id)}`).then(
      (found) => {
        setFailed('');
        setJob(found);
      },
      (error) => setFailed(error.message),
    );
  useEffect(() => void look(), [line === undefined, line?.state, line?.rung, line?.chunks]);
  useEffect(() => {
    // What it says, and a job at rest, are not in the feed.
    const timer = setInterval(look, 2000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => void heading.current?.focus(), [job === null]);
  const back = html`<button onClick=${() => history.back()}>Back</button>`;
  if (job === null) return html`<section><p class="soft">${failed || 'reading'}</p>${back}</section>`;
  const carryOut = async (/** @type {string} */ name) => {
    setAsked(null);
    setTold({ text: `${name}: under way`, isBad: false });
    try {
      const after = await act(`jobs/${encodeURIComponent(id)}/${name}`, { by: 'the page' });
      setTold({ text: `${name}: now ${after.state}`, isBad: false });
      if (after.id === id) await look();
      else open(after.id);
    } catch (error) {
      setTold({ text: /** @type {Error} */ (error).message, isBad: true });
    }
  };
  const acts = job.endedAt === null ? ['cancel', 'timeout'] : ['retry'];
  return html`<section aria-labelledby="job">
    <h2 id="job" tabindex="-1" ref=${heading}>${job.name} ${job.id}</h2>
    <div class="acts">
      ${back}
      ${acts.map((name) => html`<button class=${name === 'retry' ? '' : 'danger'} onClick=${() => setAsked(name)}>${name === 'timeout' ? 'Time out now' : name[0]?.toUpperCase() + name.slice(1)}</button>`)}
    </div>
    ${
      asked === null
        ? null
        : html`<p role="alert">Really ${asked === 'timeout' ? 'time out' : asked} this job?
            <button class="danger" onClick=${() => carryOut(asked)}>Yes, ${asked === 'timeout' ? 'time it out' : `${asked} it`}</button>
            <button onClick=${() => setAsked(null)}>No</button></p>`
    }
    ${failed === '' ? null : html`<p class="bad" role="alert">not up to date: ${failed}</p>`}
    <p role="status" class=${told?.isBad ? 'bad' : 'soft'}>${told?.text ?? ''}</p>
    <${Facts} job=${job} now=${feed.facts.at} />
    <${History} job=${job} />
    <${Lines} job=${job} />
    <${Payloads} job=${job} />
    <${Chart} feed=${feed} current=${job.state} choose=${choose} />
  </section>`;
}

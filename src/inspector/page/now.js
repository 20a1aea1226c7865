// What runs now, a lane each, and what will end it: what ends first stands first.

import { html } from './library.js';
import { ago, seconds } from './words.js';

/** @import { ToldLine } from '../answers.ts' */
/** @import { LiveFeed } from './feed.js' */

const mostLanes = 200;

const soonest = (/** @type {ToldLine} */ { due }) => due[0]?.at ?? Infinity;

export function Lane(
  /** @type {{ job: ToldLine, now: number, open: (id: string) => void }} */ { job, now, open },
) {
  const end = Math.max(now + 1000, ...job.due.map(({ at }) => at));
  const startedAt = job.startedAt ?? now;
  const span = Math.max(1, Math.min(end, now + 10 * Math.max(1000, soonest(job) - now)) - startedAt);
  const at = (/** @type {number} */ when) => Math.min(100, Math.max(0, ((when - startedAt) / span) * 100));
  const part = job.total ? Math.min(1, job.items / job.total) : null;
  const words = [
    job.isUnconfirmed ? 'could not be proven stopped, holds its slot' : job.state,
    job.rung !== null && job.state === 'stopping' ? `rung ${job.rung}` : '',
    `for ${ago(startedAt, now)}`,
    `attempt ${job.attempt}`,
    job.chunks > 0 ? `${job.chunks} chunks` : '',
    part === null ? '' : `${Math.round(part * 100)} %`,
    job.heartbeatAt === null ? '' : `last heartbeat ${ago(job.heartbeatAt, now)} ago`,
    job.due.length === 0
      ? ''
      : `times out: ${job.due.map((due) => `${due.kind} in ${seconds(due.at - now)}`).join(', ')}`,
  ];
  const tone = job.isUnconfirmed ? 'bad' : job.state === 'stopping' ? 'warn' : 'soft';
  return html`<li class="lane">
    <button onClick=${() => open(job.id)}>${job.name} <span class="soft">${job.id}</span></button>
    <div>
      <div class="bar" aria-hidden="true">
        <svg viewBox="0 0 100 10" preserveAspectRatio="none">
          <rect class="fill" x="0" y="0" height="10" width=${at(now)} />
          ${part === null ? null : html`<rect class="done" x="0" y="8" height="2" width=${part * 100} />`}
          <line class="now" x1=${at(now)} x2=${at(now)} y1="0" y2="10" vector-effect="non-scaling-stroke" />
          ${[job.heartbeatAt, job.progressAt].map((when) =>
            when === null
              ? null
              : html`<line class="beat" x1=${at(when)} x2=${at(when)} y1="0" y2="4" vector-effect="non-scaling-stroke" />`,
          )}
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

export function Now(/** @type {{ feed: LiveFeed, open: (id: string) => void }} */ { feed, open }) {
  const { facts, jobs } = feed;
  const lines = [...jobs.values()].sort(
    (a, b) =>
      Number(b.isUnconfirmed) - Number(a.isUnconfirmed) || soonest(a) - soonest(b) || (a.id < b.id ? -1 : 1),
  );
  const shown = lines.slice(0, mostLanes);
  const reasons = facts.health?.reasons ?? [];
  return html`<section aria-labelledby="now">
    <h2 id="now">${lines.length} alive, ${facts.limit} slots on ${facts.node}; what ends first stands first</h2>
    ${reasons.length === 0 ? null : html`<ul class="warn">${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
    ${lines.length === 0 ? html`<p class="soft">No job is alive here. ${facts.counts?.queued ?? 0} wait${(facts.counts?.running ?? 0) > 0 ? `, ${facts.counts?.running} run elsewhere: see Nodes` : ''}.</p>` : null}
    <ul class="lanes">
      ${shown.map((job) => html`<${Lane} key=${job.id} job=${job} now=${facts.at} open=${open} />`)}
    </ul>
    ${lines.length > shown.length ? html`<p class="soft">and ${lines.length - shown.length} more</p>` : null}
  </section>`;
}

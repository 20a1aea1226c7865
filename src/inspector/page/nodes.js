// Which node runs what: the processors at work on the engine, on whichever machine, each with its jobs.

import { html, useEffect, useState } from './library.js';
import { Lane } from './now.js';
import { read } from './wire.js';
import { ago, seconds } from './words.js';

/** @import { ToldNode, ToldNodes } from '../answers.ts' */

const lookMs = 2000;

export function Nodes(/** @type {{ open: (id: string) => void }} */ { open }) {
  const [found, setFound] = useState(/** @type {ToldNodes | null} */ (null));
  const [failed, setFailed] = useState('');
  useEffect(() => {
    const look = () =>
      read('nodes').then(
        (nodes) => {
          setFailed('');
          setFound(nodes);
        },
        (error) => setFailed(error.message),
      );
    look();
    const timer = setInterval(look, lookMs);
    return () => clearInterval(timer);
  }, []);
  const notNew = failed === '' ? null : html`<p class="bad" role="alert">not up to date: ${failed}</p>`;
  if (found === null) return html`<section>${notNew ?? html`<p class="soft">reading</p>`}</section>`;
  return html`${notNew}
    ${found.nodes.length === 0 ? html`<section><p class="soft">No node: nothing is at work on this engine.</p></section>` : null}
    ${found.nodes.map((node) => html`<${Node} key=${node.id} node=${node} found=${found} open=${open} />`)}`;
}

function Node(
  /** @type {{ node: ToldNode, found: ToldNodes, open: (id: string) => void }} */ { node, found, open },
) {
  const { state, slots, health, lastFailure, running } = node;
  const tone = state === 'gone' ? 'bad' : state === 'draining' || health.status !== 'ok' ? 'warn' : 'good';
  const now = found.at;
  const jobs = found.jobs.filter((job) => job.node === node.name);
  const count = running.reduce((sum, each) => sum + each.jobs, 0);
  const notes = [
    ...(state === 'gone' && count > 0 ? ['the next worker takes its jobs over'] : []),
    ...(state === 'gone' ? [] : health.reasons),
    ...(lastFailure === null
      ? []
      : [`its engine failed ${ago(new Date(lastFailure.at).getTime(), now)} ago: ${lastFailure.message}`]),
  ];
  const words = [
    `seen ${seconds(now - new Date(node.lastSeen).getTime())} ago`,
    `${slots.used + slots.unconfirmed} of ${slots.max} slots`,
    running.length === 0 ? 'runs nothing' : running.map(({ name, jobs: n }) => `${name} ${n}`).join(', '),
    `${node.host}, process ${node.pid}, Unstuck ${node.version}, since ${new Date(node.startedAt).toLocaleString()}`,
  ];
  return html`<section aria-label=${`node ${node.name}`}>
    <h2>${node.name} <span class="badge ${tone}">${state}</span></h2>
    <p class="soft">${words.join(' · ')}</p>
    ${notes.length === 0 ? null : html`<ul class="warn">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
    <ul class="lanes">${jobs.map((job) => html`<${Lane} key=${job.id} job=${job} now=${now} open=${open} />`)}</ul>
    ${count > jobs.length ? html`<p class="soft">and ${count - jobs.length} more</p>` : null}
  </section>`;
}

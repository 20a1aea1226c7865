// The chart that all jobs go through, with the number of jobs in each state; or where one of them is. Nothing here knows the
// states: they come from the machine.

import { html, useEffect, useState } from './library.js';
import { read } from './wire.js';

/** @import { ToldChart } from '../answers.ts' */
/** @import { LiveFeed } from './feed.js' */

export function Chart(
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

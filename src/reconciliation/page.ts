// The report for people, `report.html`: from the numbers of a run and the first rows of its reports, one file that
// loads nothing and says the same with and without JavaScript. The same run gives the same bytes.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { html, type Markup } from './markup.ts';
import type { ReconciliationSummary } from './summary.ts';

/** The first rows of a report, or of what is read from one. */
export interface PageTable {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly string[];
  /** Null is NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** How many there are in all. */
  readonly total: number;
  /** Which rows these are, where it is not all that the title says. */
  readonly note?: string;
  /** The file that holds them all, beside the page. */
  readonly file: string;
}

export interface PageFacts {
  /** What is compared, as people call it; no path, no password. */
  readonly left: string;
  readonly right: string;
  /** What was asked for, by name. */
  readonly asked: readonly (readonly [what: string, value: string])[];
  readonly summary: ReconciliationSummary;
  readonly tables: readonly PageTable[];
}

export async function pageOf(facts: PageFacts): Promise<string> {
  const asset = (name: string) => readFile(new URL(`page/${name}`, import.meta.url), 'utf8');
  const [style, script] = [await asset('page.css'), await asset('page.js')];
  const policy = [
    "default-src 'none'",
    `style-src '${digest(style)}'`,
    `script-src '${digest(script)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const { summary, tables } = facts;
  const head = html`<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Reconciliation: ${facts.left} and ${facts.right}</title>`;
  const body = html`<header>
<h1>${facts.left} and ${facts.right}</h1>
${verdict(summary)}
</header>
<nav aria-label="Parts of the report"><ul>
${tables.map(({ id, title, total }) => html`<li><a href="#${id}">${title}</a> ${count(total)}</li>\n`)}</ul></nav>
<main>
${totals(facts)}
${differences(summary)}
${tables.map(table)}
</main>
<footer>${facts.asked.map(([what, value]) => html`<p>${what}: ${value}</p>\n`)}</footer>`;
  // Neither can hold its own end tag: they are ours.
  return `<!doctype html>\n<html lang="en">\n<head>\n${head.text}\n<style>${style}</style>\n</head>\n<body>\n${body.text}\n<script type="module">${script}</script>\n</body>\n</html>\n`;
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

function verdict(summary: ReconciliationSummary): Markup {
  const { matched, mismatched, onlyLeft, onlyRight, duplicateRows, rejected, stoppedEarly, sample } = summary;
  const unread = rejected.left + rejected.right;
  const apart = mismatched + onlyLeft + onlyRight + duplicateRows.left + duplicateRows.right;
  const said =
    apart > 0
      ? html`The two sides differ: ${count(matched)} rows match, ${percent(matched, Math.max(summary.left, summary.right))} of the larger side.`
      : unread > 0
        ? 'What could be read matches.'
        : 'Everything matches.';
  return html`<p class="verdict">${said}</p>
${stoppedEarly === null ? '' : html`<p class="notice"><strong>Partial:</strong> the run was stopped after ${count(stoppedEarly.after)} differences, as it was asked to. ${count(stoppedEarly.notCompared.left)} rows of the left and ${count(stoppedEarly.notCompared.right)} of the right side were not compared. All numbers here are of the rows that were.</p>`}
${sample === null ? '' : html`<p class="notice"><strong>A sample:</strong> ${sample.endsWith('%') ? sample : `${count(Number(sample))}`} of the keys, chosen by their hash. All numbers here are of the rows with these keys.</p>`}
${unread === 0 ? '' : html`<p class="notice bad"><strong>${count(unread)} ${unread === 1 ? 'row' : 'rows'} could not be read</strong> and ${unread === 1 ? 'was' : 'were'} compared with nothing.</p>`}`;
}

interface RowClass {
  readonly name: string;
  readonly label: string;
  readonly left: number;
  readonly right: number;
}

/** Each row of each side is in one of them. */
function classesOf(summary: ReconciliationSummary): RowClass[] {
  const { matched, passes, mismatched, onlyLeft, onlyRight, duplicateRows, rejected } = summary;
  return [
    { name: 'matched', label: 'matched', left: matched, right: matched },
    ...passes.map(({ pass, left, right }) => ({ name: 'passed', label: `matched, ${pass}`, left, right })),
    { name: 'mismatched', label: 'mismatched', left: mismatched, right: mismatched },
    { name: 'only', label: 'only here', left: onlyLeft, right: onlyRight },
    { name: 'duplicates', label: 'with a duplicate key', ...duplicateRows },
    { name: 'rejected', label: 'could not be read', ...rejected },
  ];
}

function totals({ left, right, summary }: PageFacts): Markup {
  const classes = classesOf(summary);
  const partial = summary.stoppedEarly === null ? '' : ' compared';
  const line = ({ name, label, ...rows }: RowClass) => html`<tr>
<th scope="row"><svg class="key" aria-hidden="true"><rect class="${name}" width="100%" height="100%"/></svg>${label}</th>
<td class="number">${count(rows.left)}</td><td class="number">${percent(rows.left, summary.left)}</td>
<td class="number">${count(rows.right)}</td><td class="number">${percent(rows.right, summary.right)}</td></tr>\n`;
  return html`<section class="plain" id="totals"><h2>Totals</h2>
<div>${left}</div>${bar(classes, 'left', summary.left)}
<div>${right}</div>${bar(classes, 'right', summary.right)}
<div class="scroll" tabindex="0" role="region" aria-label="Totals"><table>
<thead><tr><td></td><th scope="col" class="number" colspan="2">${left}</th><th scope="col" class="number" colspan="2">${right}</th></tr></thead>
<tbody>${classes.map(line)}<tr class="sum"><th scope="row">rows${partial}</th><td class="number">${count(summary.left)}</td><td></td><td class="number">${count(summary.right)}</td><td></td></tr></tbody>
</table></div></section>`;
}

function bar(classes: readonly RowClass[], side: 'left' | 'right', total: number): Markup {
  const said = classes.map((one) => `${one.label} ${percent(one[side], total)}`).join(', ');
  let at = 0;
  const parts = classes.map((one) => {
    const width = total === 0 ? 0 : (one[side] / total) * 100;
    const x = at;
    at += width;
    return width === 0
      ? ''
      : html`<rect class="${one.name}" x="${x.toFixed(3)}%" width="${width.toFixed(3)}%" height="100%"><title>${one.label}: ${count(one[side])}</title></rect>`;
  });
  return html`<svg role="img" aria-label="${said}">${parts}</svg>`;
}

function differences({ columns, matched, mismatched }: ReconciliationSummary): Markup {
  const counts = Object.entries(columns).sort(([, a], [, b]) => b - a);
  const most = counts[0]?.[1] ?? 0;
  if (most === 0) return html``;
  const line = ([name, n]: [string, number]) => html`<tr><th scope="row">${name}</th>
<td class="number">${count(n)}</td><td class="number">${percent(n, matched + mismatched)}</td>
<td><svg aria-hidden="true"><rect class="mismatched" width="${((n / most) * 100).toFixed(3)}%" height="100%"/></svg></td></tr>\n`;
  return html`<section class="plain" id="columns"><h2>Differences by column</h2>
<p class="soft">Of the ${count(matched + mismatched)} pairs of rows that were compared.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Differences by column"><table data-rows="${counts.length}">
<thead><tr><th scope="col">column</th><th scope="col" class="number">rows</th><th scope="col" class="number">share</th><td></td></tr></thead>
<tbody>${counts.map(line)}</tbody>
</table></div></section>`;
}

function table({ id, title, columns, rows, total, note, file }: PageTable): Markup {
  const heading = html`<section id="${id}"><h2>${title}</h2>`;
  if (total === 0) return html`${heading}<p>None.</p></section>`;
  const which =
    note ??
    (rows.length < total ? `The first ${count(rows.length)} of ${count(total)}.` : `All ${count(total)}.`);
  return html`${heading}
<p>${which} The whole file: <a href="${encodeURIComponent(file)}">${file}</a>.</p>
<div class="scroll" tabindex="0" role="region" aria-label="${title}"><table data-rows="${rows.length}">
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table></div></section>`;
}

/** NULL and the empty text are two things. */
function cell(text: string | null): Markup {
  if (text === null) return html`<td><i class="none">NULL</i></td>`;
  if (text === '') return html`<td><i class="empty">empty</i></td>`;
  return html`<td>${text}</td>`;
}

const grouped = new Intl.NumberFormat('en-US');

function count(n: number): string {
  return grouped.format(n);
}

/** Never `100 %` or `0 %` of what is not all or nothing. */
function percent(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0 %';
  if (part === whole) return '100 %';
  const share = (part / whole) * 100;
  return share > 99.9 ? '> 99.9 %' : share < 0.1 ? '< 0.1 %' : `${share.toFixed(1)} %`;
}

// The comparison as one writes it first, in JavaScript alone: streaming.ts LEFT RIGHT OUT. The left side in a Map, the right
// side streamed past it, the reports written as it goes. It takes lines for rows, as such code does.

import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const [left = '', right = '', out = ''] = process.argv.slice(2);
const startedAt = performance.now();
async function* rowsOf(path: string): AsyncGenerator<string> {
  let isHeader = true;
  for await (const line of createInterface({ input: createReadStream(path, { highWaterMark: 1 << 20 }) })) {
    if (!isHeader) yield line;
    isHeader = false;
  }
}
const keyOf = (line: string) => line.slice(0, line.indexOf(','));
const report = (name: string) => createWriteStream(`${out}/${name}.csv`);
const [differences, only, duplicates] = [report('differences'), report('only'), report('duplicates')];
const counts = { matched: 0, mismatched: 0, onlyLeft: 0, onlyRight: 0, duplicates: 0 };

const lines = new Map<string, string>();
/** Keys that stand twice on a side, with their rows. */
const twice = new Map<string, string[]>();
for await (const line of rowsOf(left)) {
  const key = keyOf(line);
  const known = lines.get(key);
  if (known === undefined) lines.set(key, line);
  else twice.set(key, [...(twice.get(key) ?? [known]), line]);
}
/** What has met its right side: a second one makes it a duplicate after all. */
const met = new Map<string, string>();
for await (const line of rowsOf(right)) {
  const key = keyOf(line);
  const known = twice.get(key);
  const before = met.get(key);
  if (known !== undefined) known.push(line);
  else if (before !== undefined) twice.set(key, [...(lines.has(key) ? [lines.get(key)!] : []), before, line]);
  else met.set(key, line);
}
for (const [key, line] of lines) {
  const other = met.get(key);
  if (twice.has(key)) continue;
  if (other === undefined) {
    counts.onlyLeft += 1;
    only.write(`${line}\n`);
  } else if (line === other) counts.matched += 1;
  else {
    counts.mismatched += 1;
    const [ours, theirs] = [line.split(','), other.split(',')];
    ours.forEach((text, n) => {
      if (text !== theirs[n]) differences.write(`${key},${n},${text},${theirs[n]}\n`);
    });
  }
}
for (const [key, line] of met) {
  if (lines.has(key) || twice.has(key)) continue;
  counts.onlyRight += 1;
  only.write(`${line}\n`);
}
for (const rows of twice.values()) {
  counts.duplicates += rows.length;
  duplicates.write(`${rows.join('\n')}\n`);
}
await Promise.all(
  [differences, only, duplicates].map((stream) => new Promise((resolve) => stream.end(resolve))),
);
console.log(JSON.stringify({ seconds: (performance.now() - startedAt) / 1000, counts }));

// How far a job is: a bar on a terminal, a plain line every few seconds elsewhere, nothing when asked to be quiet.

import { unicodeOr } from '@clack/prompts';
import type { JobStatus } from '../index.ts';
import { type ReconciliationProgress, reconciliationProgress } from '../reconciliation/index.ts';
import { formatDuration } from './durations.ts';
import { countOf, formatCount } from './printable.ts';
import type { Screen } from './screen.ts';

const frames = unicodeOr('◒◐◓◑', '-\\|/');
const full = unicodeOr('━', '=');
const rest = unicodeOr('─', '-');
const frameMs = 100;
const lineMs = 3000;
/** An estimate from less is a guess. */
const estimateAfterSeconds = 3;

export interface Progress {
  /** Follows a job from here on; `first` is what it does before its first chunk. `rows`: how many it has read, once it has. */
  begin(first: string, rows: () => Promise<number | null>): void;
  update(status: JobStatus): void;
  /** Takes the bar away. */
  end(): void;
}

export function createProgress(screen: Screen): Progress {
  let timer: NodeJS.Timeout | undefined;
  let startedAt = 0;
  let activity = '';
  let rowsOf: () => Promise<number | null> = async () => null;
  /** Of both sides, once they are read. */
  let rows: number | null = null;
  let now: ReconciliationProgress | null = null;
  /** Where the estimates count from: what an earlier run did took no time of this one. */
  let since: { at: number; part: number; done: number } | null = null;
  let turn = 0;
  let saidAt = -Infinity;

  const seconds = () => (performance.now() - startedAt) / 1000;
  /** Of the whole, 0 to 1: the reading is half of it. */
  const part = () => (now === null ? 0 : (now.read + now.done / now.chunks) / 2);
  const estimates = () => {
    const took = since === null ? 0 : (performance.now() - since.at) / 1000;
    if (now === null || since === null || took < estimateAfterSeconds || part() <= since.part) return '';
    const left = Math.ceil((took / (part() - since.part)) * (1 - part()));
    const rate = rows === null ? 0 : (rows * (now.done - since.done)) / now.chunks / took;
    return `${rate < 1 ? '' : `, ${formatCount(Math.round(rate))} rows a second`}, about ${formatDuration(left)} left`;
  };
  const facts = () => {
    const so = `${formatDuration(Math.floor(seconds()))}${estimates()}`;
    const percent = `${Math.floor(part() * 100)} %`;
    if (now === null || part() === 0) return `${activity}  ${so}`;
    if (now.read < 1 || now.done === 0) return `${activity}  ${percent}  ${so}`;
    return `${now.done} of ${countOf(now.chunks, 'chunk')}  ${percent}  ${so}`;
  };
  const bar = () => {
    const size = Math.max(0, Math.min(36, screen.columns - facts().length - 8));
    if (part() === 0 || size < 5) return '';
    const filled = Math.round(part() * size);
    return `${screen.paint('cyan', full.repeat(filled))}${screen.paint('dim', rest.repeat(size - filled))}  `;
  };
  const draw = () => {
    turn += 1;
    screen.show(
      `${screen.paint('cyan', frames[turn % frames.length]!)}  ${bar()}${facts().slice(0, screen.columns - 4)}`,
    );
  };
  const say = () => {
    saidAt = performance.now();
    screen.write(facts());
  };

  return {
    begin(first, rowsRead) {
      startedAt = performance.now();
      saidAt = startedAt;
      activity = first;
      rowsOf = rowsRead;
      now = null;
      since = null;
      rows = null;
      if (!screen.isTerminal) screen.write(first);
      timer = screen.isTerminal ? setInterval(draw, frameMs) : setInterval(say, lineMs);
    },
    update({ progress }) {
      const before = now;
      now = reconciliationProgress(progress);
      if (now === null) return;
      const isFirstChunk = now.done > 0 && (before === null || before.done === 0);
      // The two halves have paces of their own.
      if (since === null || (now.read === 1 && before !== null && before.read < 1))
        since = { at: performance.now(), part: part(), done: now.done };
      if (now.read === 1 && rows === null)
        void rowsOf().then(
          (read) => {
            rows = read;
          },
          () => undefined,
        );
      if (screen.isTerminal) draw();
      else if (isFirstChunk || performance.now() - saidAt >= lineMs) say();
    },
    end() {
      clearInterval(timer);
      screen.clear();
    },
  };
}

export const noProgress: Progress = { begin() {}, update() {}, end() {} };

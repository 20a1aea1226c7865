// How far a job is: a bar on a terminal, a plain line every few seconds elsewhere, nothing when asked to be quiet.

import { unicodeOr } from '@clack/prompts';
import type { JobStatus } from '../index.ts';
import { formatDuration } from './durations.ts';
import { countOf } from './printable.ts';
import type { Screen } from './screen.ts';

const frames = unicodeOr('◒◐◓◑', '-\\|/');
const full = unicodeOr('━', '=');
const rest = unicodeOr('─', '-');
const frameMs = 100;
const lineMs = 3000;
/** An estimate from less is a guess. */
const estimateAfterSeconds = 3;

export interface Progress {
  /** Follows a job from here on; `first` is what it does before its first chunk. */
  begin(first: string): void;
  update(status: JobStatus): void;
  /** Takes the bar away. */
  end(): void;
}

export function createProgress(screen: Screen): Progress {
  let timer: NodeJS.Timeout | undefined;
  let startedAt = 0;
  let activity = '';
  let done = 0;
  let total: number | null = null;
  /** Where the estimate counts from: chunks done by an earlier run took no time of this one. */
  let since = { at: 0, done: 0 };
  let turn = 0;
  let saidAt = -Infinity;

  const seconds = () => (performance.now() - startedAt) / 1000;
  const timeLeft = () => {
    const took = (performance.now() - since.at) / 1000;
    if (total === null || done <= since.done || took < estimateAfterSeconds) return '';
    return `, about ${formatDuration(Math.ceil((took / (done - since.done)) * (total - done)))} left`;
  };
  const facts = () => {
    const so = `${formatDuration(Math.floor(seconds()))}${timeLeft()}`;
    if (total === null || done === 0) return `${activity}  ${so}`;
    return `${done} of ${countOf(total, 'chunk')}  ${Math.floor((done / total) * 100)} %  ${so}`;
  };
  const bar = () => {
    const size = Math.max(0, Math.min(36, screen.columns - facts().length - 8));
    if (total === null || done === 0 || size < 5) return '';
    const filled = Math.round((done / total) * size);
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
    begin(first) {
      startedAt = performance.now();
      saidAt = startedAt;
      activity = first;
      done = 0;
      total = null;
      if (!screen.isTerminal) screen.write(first);
      timer = screen.isTerminal ? setInterval(draw, frameMs) : setInterval(say, lineMs);
    },
    update({ progress }) {
      const isFirst = done === 0 && progress.items > 0;
      done = progress.items;
      total = progress.total;
      if (isFirst) since = { at: performance.now(), done };
      if (screen.isTerminal) draw();
      else if (isFirst || performance.now() - saidAt >= lineMs) say();
    },
    end() {
      clearInterval(timer);
      screen.clear();
    },
  };
}

export const noProgress: Progress = { begin() {}, update() {}, end() {} };

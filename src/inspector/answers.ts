// What the server answers and tells, as it arrives in the page: made from the types that the server has, so that page.js,
// which is checked against it, cannot part from them.

import type { JobStatus, NodeStatus, Stats } from '../index.ts';
import type { DrawnChart } from './chartLayout.ts';
import type { FeedFacts, LiveLine } from './feed.ts';
import type { JobDetail } from './jobDetail.ts';
import type { NodesAtWork } from './nodesAtWork.ts';
import type { JobSummary, Queue } from './requests.ts';

/** After JSON: a date is text. */
type Told<T> = T extends Date
  ? string
  : T extends object
    ? { readonly [Field in keyof T]: Told<T[Field]> }
    : T;

export type ToldStatus = Told<JobStatus>;
export type ToldDetail = Told<JobDetail>;
export type ToldChart = Told<DrawnChart>;
export type ToldLine = Told<LiveLine>;
export type ToldFacts = Told<FeedFacts>;

export type ToldQueue = Told<Queue>;
export type ToldSummary = Told<JobSummary>;
export type ToldStats = Told<Stats>;
export type ToldNode = Told<NodeStatus>;
export type ToldNodes = Told<NodesAtWork>;

export interface ToldPage {
  readonly jobs: readonly ToldSummary[];
  /** Where the next one begins; null: there is none. */
  readonly next: string | null;
}

/** By the address that is read. */
export interface Answers {
  chart: ToldChart;
  queue: ToldQueue;
  stats: ToldStats;
  nodes: ToldNodes;
  [list: `jobs?${string}`]: ToldPage;
  [job: `jobs/${string}`]: ToldDetail;
}

/** By the address that is posted to. */
export interface ActAnswers {
  drain: { readonly drain: string };
  [act: `jobs/${string}/${string}`]: ToldStatus;
}

/** One of `events`. */
export interface ToldMessage {
  /** These are all jobs that are alive. */
  readonly isWhole?: true;
  readonly jobs: readonly ToldLine[];
  readonly gone: readonly string[];
  readonly facts: ToldFacts;
}

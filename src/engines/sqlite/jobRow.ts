// A job as a row of the table, and back. JSON has no Infinity, which is what `off` is in settings: it is stored
// as null, and no setting is null otherwise.

import type { JobState, TimeoutKind } from '../../machines/states.ts';
import type { FrozenSettings, StoredJob } from '../engine.ts';

type Same =
  | 'id'
  | 'name'
  | 'input'
  | 'priority'
  | 'notBefore'
  | 'retryOf'
  | 'attempt'
  | 'token'
  | 'owner'
  | 'submittedAt'
  | 'startedAt'
  | 'endedAt'
  | 'queueDueAt'
  | 'deadlineAt'
  | 'lastHeartbeatAt'
  | 'lastProgressAt'
  | 'checkpoint'
  | 'chunks'
  | 'crashes'
  | 'items'
  | 'total'
  | 'reason'
  | 'result';

export interface JobRow extends Pick<StoredJob, Same> {
  seq: number;
  state: JobState;
  claimedAhead: number;
  timeout: TimeoutKind | null;
  settings: string;
  intent: string | null;
  failure: string | null;
  stop: string | null;
  history: string;
  idempotencyKey: string | null;
  place: number | null;
  ready: number | null;
  dueAt: number | null;
  leaseUntil: number | null;
  boot: string | null;
  holder: string | null;
  processGroup: string | null;
}

export function fromRow(row: JobRow): StoredJob {
  const {
    seq: _seq,
    idempotencyKey: _key,
    place: _place,
    ready: _ready,
    dueAt: _dueAt,
    leaseUntil: _lease,
    boot: _boot,
    holder: _holder,
    processGroup,
    claimedAhead,
    settings,
    intent,
    failure,
    stop,
    history,
    ...same
  } = row;
  return {
    ...same,
    claimedAhead: claimedAhead === 1,
    settings: settingsFrom(settings),
    group: fromText(processGroup),
    intent: fromText(intent),
    failure: fromText(failure),
    stop: fromText(stop),
    history: JSON.parse(`[${history}]`),
  };
}

/** Most jobs have the settings of the one before: parsed once, for they are frozen. */
let lastSettings: { text: string; settings: FrozenSettings } | null = null;

function settingsFrom(text: string): FrozenSettings {
  if (lastSettings?.text !== text) {
    const settings = JSON.parse(text, (_, value) => {
      if (value === null) return Infinity;
      return typeof value === 'object' ? Object.freeze(value) : value;
    });
    lastSettings = { text, settings };
  }
  return lastSettings.settings;
}

export function toText(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromText<T>(text: string | null): T | null {
  return text === null ? null : JSON.parse(text);
}

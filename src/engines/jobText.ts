// Of a job what databases keep as text: JSON, which has no Infinity. That is what `off` is in settings: it is stored as null, and no
// setting is null otherwise. Of settings only what is out of the ordinary is stored: each write of a job writes its whole row.

import type { FrozenSettings } from './engine.ts';

/** What stored settings do not say. Never changed, whatever the defaults become: jobs that are stored were stored by it. */
const ordinary: FrozenSettings = {
  jobTimeoutSeconds: 7200,
  heartbeatTimeoutSeconds: 60,
  progressTimeoutSeconds: 600,
  queueTimeoutSeconds: Infinity,
  deadlineSeconds: Infinity,
  graceSeconds: 5,
  memoryLimitMb: Infinity,
  maxCrashes: 3,
  chunkSize: 1000,
  retry: Object.freeze({
    maxAttempts: 1,
    on: Object.freeze(['failed', 'timedOut'] as const),
    backoff: Object.freeze({ kind: 'fixed', seconds: 0, maxSeconds: Infinity, jitter: 0 }),
  }),
};
const ordinaryRetry = JSON.stringify(ordinary.retry);

export function settingsText(settings: FrozenSettings): string {
  const told = (Object.keys(settings) as (keyof FrozenSettings)[]).filter((name) =>
    name === 'retry' ? JSON.stringify(settings.retry) !== ordinaryRetry : settings[name] !== ordinary[name],
  );
  return JSON.stringify(Object.fromEntries(told.map((name) => [name, settings[name]])));
}

/** Jobs have the settings of others, and each beat brings them: parsed once, for they are frozen. */
const knownSettings = new Map<string, FrozenSettings>();
const mostKnown = 100;

export function settingsFrom(text: string): FrozenSettings {
  let settings = knownSettings.get(text);
  if (settings === undefined) {
    const told = JSON.parse(text, (_, value) => {
      if (value === null) return Infinity;
      return typeof value === 'object' ? Object.freeze(value) : value;
    }) as Partial<FrozenSettings>;
    settings = Object.freeze({ ...ordinary, ...told });
    if (knownSettings.size === mostKnown) knownSettings.clear();
    knownSettings.set(text, settings);
  }
  return settings;
}

export function toText(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

export function fromText<T>(text: string | null): T | null {
  return text === null ? null : JSON.parse(text);
}

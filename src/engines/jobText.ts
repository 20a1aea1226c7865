// Of a job what databases keep as text: JSON, which has no Infinity. That is what `off` is in settings: it is stored as null, and no
// setting is null otherwise.

import type { FrozenSettings } from './engine.ts';

/** Jobs have the settings of others, and each beat brings them: parsed once, for they are frozen. */
const knownSettings = new Map<string, FrozenSettings>();
const mostKnown = 100;

export function settingsFrom(text: string): FrozenSettings {
  let settings = knownSettings.get(text);
  if (settings === undefined) {
    settings = JSON.parse(text, (_, value) => {
      if (value === null) return Infinity;
      return typeof value === 'object' ? Object.freeze(value) : value;
    }) as FrozenSettings;
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

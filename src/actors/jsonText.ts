// Payloads are JSON: whatever would come back changed is refused where it goes in, by its path.

/** 10 MiB: a payload is a description of work, not the work itself. */
export const payloadLimitBytes = 10 * 1024 * 1024;

const deepest = 500;

/** A value that cannot be stored: an input, checkpoint, row or result. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code = 'ERR_UNSTUCK_INPUT';
}

/** JSON text of `value`; `undefined` at the top becomes `null`, as an absent result. */
export function toJsonText(value: unknown, what: string): string {
  if (value === undefined) return 'null';
  check(value, what, []);
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes > payloadLimitBytes) {
    throw new InputError(
      `${what}: expected at most ${payloadLimitBytes} bytes of JSON, got ${bytes}. Store the data elsewhere and pass its place.`,
    );
  }
  return text;
}

function check(value: unknown, path: string, above: readonly object[]): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(path, String(value));
      return;
    case 'object':
      break;
    default:
      refuse(path, typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`);
  }
  if (value === null) return;
  const object = value as object;
  if (above.includes(object)) refuse(path, 'a circle');
  if (above.length > deepest) refuse(path, `more than ${deepest} levels`);
  if (Array.isArray(object)) {
    for (const [index, item] of object.entries()) check(item, `${path}[${index}]`, [...above, object]);
    return;
  }
  // A Date, a URL and the like say themselves how they are written.
  if ('toJSON' in object && typeof object.toJSON === 'function') {
    if (object instanceof Date && Number.isNaN(object.getTime())) refuse(path, 'an invalid date');
    check(object.toJSON(), path, [...above, object]);
    return;
  }
  // A plain object's prototype has none itself, whichever realm it is from.
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, `a ${prototype.constructor?.name ?? 'class instance'}`);
  }
  for (const [key, item] of Object.entries(object)) {
    // An undefined field is an absent one, as JSON has it.
    if (item !== undefined) check(item, `${path}.${key}`, [...above, object]);
  }
}

function refuse(path: string, got: string): never {
  throw new InputError(`${path}: expected JSON, got ${got}.`);
}

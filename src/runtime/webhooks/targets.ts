// Who is to be told, as the option `webhooks` says it: checked when the processor is made. No error shows a secret, or an
// address, which with many services is one.

import { ConfigurationError } from '../errors.ts';
import { checkNumber } from '../settings.ts';
import { type NotificationEvent, notificationEvents } from './notification.ts';
import { keyOf } from './signature.ts';

/** A target of notifications, by Standard Webhooks. */
export interface WebhookOptions {
  /** `https:` or `http:`. */
  url: string | URL;
  /**
   * What signs (Standard Webhooks, v1): base64 of 24 to 64 bytes, with or without `whsec_` before it. Several: a signature with
   * each, while a receiver changes from one to the next.
   */
  secret: string | readonly string[];
  /** Default: `failed`, `timedOut`, `unconfirmed`, `queueTooOld`. */
  events?: readonly NotificationEvent[];
  /** Names of the jobs it is told of. Default: all. */
  jobs?: readonly string[];
  /** Sent with each, an authorization say. */
  headers?: Readonly<Record<string, string>>;
  /** How long it may take to answer. Default 20. */
  answerSeconds?: number;
}

export interface Target {
  readonly name: string;
  readonly url: string;
  readonly secrets: readonly string[];
  readonly events: ReadonlySet<NotificationEvent>;
  /** Null: all. */
  readonly jobs: ReadonlySet<string> | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly answerSeconds: number;
}

const defaultEvents: readonly NotificationEvent[] = ['failed', 'timedOut', 'unconfirmed', 'queueTooOld'];
const fields = ['url', 'secret', 'events', 'jobs', 'headers', 'answerSeconds'];

/** Throws ConfigurationError. `known`: the names of the registry. */
export function checkTargets(
  webhooks: Readonly<Record<string, WebhookOptions>> | undefined,
  known: readonly string[],
): Target[] {
  if (webhooks === undefined) return [];
  checkPlain('webhooks', webhooks, 'an object of targets by name');
  return Object.entries(webhooks).map(([name, options]) => checkTarget(name, options, known));
}

function checkTarget(name: string, options: WebhookOptions, known: readonly string[]): Target {
  const field = `webhooks.${name}`;
  if (!/^[\w-]{1,64}$/.test(name))
    throw new ConfigurationError('webhooks', 'names of letters, digits, - and _, 64 at most', 'another one');
  checkPlain(field, options, 'an object with url and secret');
  for (const given of Object.keys(options))
    if (!fields.includes(given))
      throw new ConfigurationError(`${field}.${given}`, `one of ${fields.join(', ')}`, 'an unknown field');
  const { url, secret, events = defaultEvents, jobs, headers = {}, answerSeconds = 20 } = options;
  checkNumber(`${field}.answerSeconds`, answerSeconds, 'seconds, more than 0 and 60 at most', isAnswerTime);
  return {
    name,
    url: checkUrl(`${field}.url`, url),
    secrets: checkSecrets(`${field}.secret`, secret),
    events: new Set(checkList(`${field}.events`, events, notificationEvents) as NotificationEvent[]),
    jobs: jobs === undefined ? null : new Set(checkList(`${field}.jobs`, jobs, known)),
    headers: checkHeaders(`${field}.headers`, headers),
    answerSeconds,
  };
}

/** What it is instead is not shown: it may be an address. */
function checkPlain(field: string, value: unknown, expected: string): void {
  const prototype = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null)
    throw new ConfigurationError(field, expected, value === null ? 'null' : `another ${typeof value}`);
}

const isAnswerTime = (n: number) => n > 0 && n <= 60;

function checkUrl(field: string, url: unknown): string {
  const parsed = url instanceof URL ? url : typeof url === 'string' ? URL.parse(url) : null;
  const expected = 'an address that begins with https: or http:';
  if (parsed === null) throw new ConfigurationError(field, expected, 'something else');
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
    throw new ConfigurationError(field, expected, `one of ${parsed.protocol}`);
  if (parsed.username !== '' || parsed.password !== '')
    throw new ConfigurationError(field, 'no user and password in it', 'some', 'Use headers.');
  return parsed.href;
}

function checkSecrets(field: string, secret: unknown): readonly string[] {
  const secrets: unknown[] = Array.isArray(secret) ? secret : [secret];
  const expected = 'whsec_ and 24 to 64 bytes in base64';
  if (secrets.length === 0) throw new ConfigurationError(field, expected, 'none');
  return secrets.map((each) => {
    if (typeof each !== 'string')
      throw new ConfigurationError(field, expected, each === undefined ? 'none' : typeof each);
    if (keyOf(each) === null)
      throw new ConfigurationError(
        field,
        expected,
        `${each.length} characters that are not`,
        'Make one with: openssl rand -base64 32',
      );
    return each;
  });
}

function checkList(field: string, given: unknown, known: readonly string[]): readonly string[] {
  const expected = `some of ${known.join(', ')}`;
  if (!Array.isArray(given) || given.length === 0)
    throw new ConfigurationError(field, expected, Array.isArray(given) ? 'none' : `a ${typeof given}`);
  for (const each of given)
    if (!known.includes(each)) throw new ConfigurationError(field, expected, 'another');
  return given;
}

/** Those that fetch sets, or refuses. */
const ofTheConnection = [
  ...[
    'connection',
    'content-length',
    'expect',
    'host',
    'keep-alive',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ],
];

function checkHeaders(field: string, given: unknown): Readonly<Record<string, string>> {
  const expected = 'names and values of headers';
  checkPlain(field, given, expected);
  for (const [name, value] of Object.entries(given as object)) {
    if (typeof value !== 'string') throw new ConfigurationError(`${field}.${name}`, 'a string', typeof value);
    if (ofTheConnection.includes(name.toLowerCase()))
      throw new ConfigurationError(
        `${field}.${name}`,
        'a header that is yours to set',
        'one of the connection',
      );
  }
  try {
    return Object.fromEntries(new Headers(given as Record<string, string>));
  } catch {
    throw new ConfigurationError(field, expected, 'something else');
  }
}

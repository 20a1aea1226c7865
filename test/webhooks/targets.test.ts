import { expect, test } from 'vitest';
import { defineJob, JobProcessor, type WebhookOptions } from '../../src/index.ts';
import { secret } from './receiver.ts';

const known = defineJob({ run: () => 1 });
const url = 'https://ops.example/T0KEN';
const make = (webhooks: unknown) => () =>
  new JobProcessor({
    engine: 'memory',
    jobs: { known },
    webhooks: webhooks as Record<string, WebhookOptions>,
  });

test.each<[string, unknown, string]>([
  ['an address alone', url, 'webhooks: expected an object of targets by name, got another string.'],
  [
    'a map',
    new Map([['ops', { url, secret }]]),
    'webhooks: expected an object of targets by name, got another',
  ],
  ['a list', [{ url, secret }], 'webhooks: expected an object of targets by name, got another object.'],
  [
    'a target that is none',
    { ops: url },
    'webhooks.ops: expected an object with url and secret, got another string.',
  ],
  ['a name that no job could have', { 'o ps': { url, secret } }, 'webhooks: expected names of letters'],
  ['no address', { ops: { secret } }, 'webhooks.ops.url: expected an address that begins with https:'],
  ['another protocol', { ops: { url: 'ftp://x/T0KEN', secret } }, 'https: or http:, got one of ftp:.'],
  ['a password in it', { ops: { url: 'https://u:T0KEN@x/', secret } }, 'no user and password in it'],
  [
    'no secret',
    { ops: { url } },
    'webhooks.ops.secret: expected whsec_ and 24 to 64 bytes in base64, got none.',
  ],
  ['a secret that is none', { ops: { url, secret: 'T0KEN' } }, 'openssl rand -base64 32'],
  ['none of several', { ops: { url, secret: [] } }, 'webhooks.ops.secret: expected'],
  [
    'an unknown event',
    { ops: { url, secret, events: ['x'] } },
    'webhooks.ops.events: expected some of completed',
  ],
  ['no event', { ops: { url, secret, events: [] } }, 'webhooks.ops.events: expected some of completed'],
  [
    'an unknown job',
    { ops: { url, secret, jobs: ['x'] } },
    'webhooks.ops.jobs: expected some of known, got another.',
  ],
  [
    'a header that is none',
    { ops: { url, secret, headers: { 'a b': 'T0KEN' } } },
    'webhooks.ops.headers: expected',
  ],
  [
    'a time that is none',
    { ops: { url, secret, answerSeconds: 61 } },
    'webhooks.ops.answerSeconds: expected seconds',
  ],
  ['an unknown field', { ops: { url, secret, retries: 1 } }, 'webhooks.ops.retries: expected one of url'],
])('%s is refused, and nothing secret is shown', (_, webhooks, message) => {
  expect(make(webhooks)).toThrow(message);
  expect(make(webhooks)).not.toThrow('T0KEN');
});

test('no job of an app may have a name of our own', () => {
  const jobs = { 'unstuck.webhook.ops': known };
  expect(() => new JobProcessor({ engine: 'memory', jobs })).toThrow(
    'jobs.unstuck.webhook.ops: expected a name that does not begin with unstuck.',
  );
});

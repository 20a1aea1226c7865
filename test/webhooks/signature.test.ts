import { Webhook } from 'svix';
import { expect, test } from 'vitest';
import { keyOf, signatureHeaders } from '../../src/runtime/webhooks/signature.ts';

test("a message is signed as in the specification's own vectors", () => {
  const headers = signatureHeaders(
    {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      at: 1614265330_000,
      body: '{"test": 2432232314}',
    },
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  );
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('each of several secrets verifies it, and no other', () => {
  const secrets = [1, 2].map((fill) => `whsec_${Buffer.alloc(24, fill).toString('base64')}`);
  const body = '{"name":"Zoë"}';
  const headers = signatureHeaders({ id: 'm1', at: Date.now(), body }, secrets);
  for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual({ name: 'Zoë' });
  const other = new Webhook(`whsec_${Buffer.alloc(24, 3).toString('base64')}`);
  expect(() => other.verify(body, headers)).toThrow();
  expect(() => new Webhook(secrets[0] as string).verify(`${body} `, headers)).toThrow();
});

test.each([
  ['24 bytes', Buffer.alloc(24, 1).toString('base64'), true],
  ['64 bytes with its prefix', `whsec_${Buffer.alloc(64, 1).toString('base64')}`, true],
  ['32 bytes without padding', Buffer.alloc(32, 1).toString('base64').replaceAll('=', ''), true],
  ['23 bytes', Buffer.alloc(23, 1).toString('base64'), false],
  ['65 bytes', Buffer.alloc(65, 1).toString('base64'), false],
  ['what is no base64', 'a password of 32 characters, say', false],
])('a secret of %s', (_, secret, fits) => {
  expect(keyOf(secret) !== null).toBe(fits);
});

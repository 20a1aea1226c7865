// Signatures of the Standard Webhooks specification (https://www.standardwebhooks.com), symmetric, version v1: who receives
// a notification can tell who sent it, that it is whole, and that it is of now.

import { createHmac } from 'node:crypto';

const prefix = 'whsec_';

/** The key of a secret: base64 of 24 to 64 bytes, `whsec_` before it or not. Null: it is none. */
export function keyOf(secret: string): Buffer | null {
  const text = secret.startsWith(prefix) ? secret.slice(prefix.length) : secret;
  const key = Buffer.from(text, 'base64');
  // Node reads what it can of any text.
  const isBase64 = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  return isBase64 && key.length >= 24 && key.length <= 64 ? key : null;
}

export interface SignedMessage {
  readonly id: string;
  /** Wall ms of this attempt to deliver it. */
  readonly at: number;
  readonly body: string;
}

/** The three headers. A signature for each secret, so that a receiver may still have the old one. */
export function signatureHeaders({ id, at, body }: SignedMessage, secrets: readonly string[]) {
  const timestamp = Math.floor(at / 1000);
  const signatures = secrets.map((secret) => {
    const hmac = createHmac('sha256', keyOf(secret) as Buffer);
    return `v1,${hmac.update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

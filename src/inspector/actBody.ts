// What an act may bring: who asks, and why. Read here, or taken as it was read by the server that the page is mounted in.

import type { IncomingMessage } from 'node:http';
import { InputError } from '../index.ts';

export interface ActBody {
  by?: string;
  reason?: string;
}

const mostBodyBytes = 64 * 1024;

/** Throws InputError. `body` is what Express's parsers leave, and what is handed on of Fastify's. */
export async function bodyOf(request: IncomingMessage & { readonly body?: unknown }): Promise<ActBody> {
  const given = request.readableDidRead ? readBefore(request) : parsed(await readHere(request));
  const fields: ActBody = {};
  for (const field of ['by', 'reason'] as const) {
    const value = given[field];
    if (value === undefined || value === '') continue;
    if (typeof value !== 'string' || value.length > 200)
      throw new InputError(`${field}: expected a text of at most 200 characters.`);
    // Of one line: it goes into the log.
    fields[field] = value.replaceAll(/\p{Cc}/gu, ' ');
  }
  return fields;
}

async function readHere(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) {
    text += part;
    if (text.length > mostBodyBytes)
      throw new InputError(`body: expected at most ${mostBodyBytes} bytes, got more.`);
  }
  return text;
}

function readBefore({ body }: { readonly body?: unknown }): Record<string, unknown> {
  if (body === undefined)
    throw new InputError(
      'body: expected one that nobody has read, or that is handed on as request.body, got neither.',
    );
  return typeof body === 'string' || Buffer.isBuffer(body) ? parsed(body.toString()) : object(body);
}

function parsed(text: string): Record<string, unknown> {
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told as what is no object.
  }
  return object(value);
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new InputError('body: expected a JSON object, got something else.');
}

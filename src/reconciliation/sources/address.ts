// The addresses of tables: `sqlite:FILE?table=NAME`, `postgres://…?query=SELECT …`. What is asked for stands last, so that a
// query may hold whatever SQL may. A password is never part of what is shown.

import { resolve } from 'node:path';
import { ReconciliationInputError } from '../inputError.ts';

export interface Address {
  readonly kind: 'sqlite' | 'postgres';
  /** Of the file or the server, with all that stands before what is asked for. */
  readonly place: string;
  readonly asked: { readonly table: string } | { readonly query: string };
}

const scheme = /^(sqlite|postgres|postgresql):/i;

export function isAddress(source: string): boolean {
  return scheme.test(source);
}

/** Throws a ReconciliationInputError that says what is missing. */
export function parseAddress(source: string): Address {
  const kind = /^sqlite:/i.test(source) ? 'sqlite' : 'postgres';
  const [, place = '', word, text = ''] = /^(.*?)[?&](table|query)=(.*)$/s.exec(source) ?? [];
  const example = kind === 'sqlite' ? 'sqlite:shop.db' : 'postgres://user@host/database';
  const bare = place.replace(scheme, '').replace(/^\/\//, '');
  if (word === undefined || text.trim() === '' || bare === '') {
    throw new ReconciliationInputError(
      shownSource(source),
      `a table or a query, such as ${example}?table=orders or ${example}?query=SELECT * FROM orders`,
      word === undefined ? 'neither' : text.trim() === '' ? `an empty ${word}` : 'no place',
      'Correct it and run again.',
    );
  }
  return { kind, place, asked: word === 'table' ? { table: decoded(text) } : { query: decoded(text) } };
}

/** The same wherever the job runs: files by their absolute paths. */
export function absoluteSource(source: string): string {
  if (!isAddress(source)) return resolve(source);
  if (!/^sqlite:/i.test(source)) return source;
  const [, file = '', rest = ''] = /^sqlite:(?:\/\/(?=\/))?([^?]*)(.*)$/is.exec(source) ?? [];
  return file === '' ? source : `sqlite:${resolve(file)}${rest}`;
}

/** As messages, logs and reports show a source: an address without its password, in one line that is not too long. */
export function shownSource(source: string): string {
  if (!isAddress(source)) return source;
  const [, place = source, asked = ''] = /^(.*?)([?&](?:table|query)=.*)$/s.exec(source) ?? [];
  // Up to the last @ of the place: a password that is not encoded may hold anything.
  const bare = place
    .replace(/^(postgres\w*:\/\/[^:@]*):.*@/is, '$1@')
    .replace(/([?&]password=)[^&]*/gi, '$1***');
  const line = asked.replace(/\s+/g, ' ');
  return `${bare}${line.length > longest ? `${line.slice(0, longest)}…` : line}`;
}

const longest = 100;

/** `${NAME}` stands for a variable of the environment, so that a password need not be stored with the job. */
export function withVariables(source: string, place: string): string {
  return place.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = process.env[name];
    if (value !== undefined) return encodeURIComponent(value);
    throw new ReconciliationInputError(
      shownSource(source),
      `the variable ${name} in the environment`,
      'none',
      'Set it where the job runs.',
    );
  });
}

/** As it stands where it has a space, as SQL does; else it may be encoded as in any URL. */
function decoded(text: string): string {
  if (/\s/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

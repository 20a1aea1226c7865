// What a chunk's own code sees of its transaction: `query`, one statement at a time. Its end is not the code's to say: what would
// end the transaction is refused before it is sent. With one statement a message, as the extended protocol has it, its
// first word tells.

import { InputError } from '../actors/jsonText.ts';

/** A statement with what `pg` takes beside its text. */
export interface SqlStatement {
  /** One statement, with `$1`, `$2`… for its values. */
  text: string;
  values?: readonly unknown[];
  /** `array`: rows are arrays. */
  rowMode?: 'array';
  /** A prepared statement of the connection. Not behind a pooler in transaction mode. */
  name?: string;
  /** How values are read: `pg`'s type parsers. Default: `pg`'s own. */
  types?: object;
}

/** As `pg` answers. */
export interface SqlResult<Row> {
  rows: Row[];
  /** Rows that were found or changed; null of statements that have none. */
  rowCount: number | null;
  /** The statement's kind: `SELECT`, `UPDATE`… */
  command: string;
}

/** The chunk's transaction. */
export interface Sql {
  /**
   * Sends one statement; several may be on their way. Rejects as `pg` does; with the signal's reason once the attempt was asked
   * to stop; with `InputError` where the statement would end the transaction (savepoints are yours), or the chunk is over.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as in pg, what a row is only its statement knows.
  query<Row = any>(statement: string | SqlStatement, values?: readonly unknown[]): Promise<SqlResult<Row>>;
}

/** What is sent for it. Throws where it is none that may be sent. */
export function toSend(statement: string | SqlStatement, values: readonly unknown[] | undefined) {
  const given = typeof statement === 'string' ? { text: statement } : statement;
  if (typeof given?.text !== 'string' || 'submit' in given)
    throw new InputError('query: expected a text, or an object with a text, got something else.');
  const sent = values ?? given.values ?? [];
  if (!Array.isArray(sent)) throw new InputError('query: expected an array of values, got something else.');
  const word = endingWord(given.text);
  if (word !== null)
    throw new InputError(
      `query: expected a statement within the chunk's transaction, got ${word}. It is committed with the checkpoint once process() returns, and rolled back when it throws.`,
    );
  const { text, rowMode, name, types } = given;
  return { text, values: [...sent], rowMode, name, types, queryMode: 'extended' };
}

/** Blanks and comments before the first word; those in `/*` may stand in each other. */
function withoutComments(text: string): string {
  let rest = text;
  for (;;) {
    rest = rest.replace(/^(\s|;|--[^\n\r]*)+/, '');
    if (!rest.startsWith('/*')) return rest;
    let depth = 0;
    let at = 0;
    do {
      const mark = rest.slice(at, at + 2);
      if (mark === '/*') depth += 1;
      if (mark === '*/') depth -= 1;
      at += mark === '/*' || mark === '*/' ? 2 : 1;
    } while (depth > 0 && at < rest.length);
    rest = rest.slice(at);
  }
}

/** The words that end or begin a transaction; null where it does neither. */
function endingWord(text: string): string | null {
  const words = withoutComments(text);
  const [first = ''] = /^\w+/.exec(words) ?? [];
  const word = first.toUpperCase();
  if (['COMMIT', 'END', 'ABORT', 'BEGIN', 'START'].includes(word)) return word;
  const next = withoutComments(words.slice(first.length));
  if (word === 'PREPARE' && /^transaction\b/i.test(next)) return 'PREPARE TRANSACTION';
  if (word !== 'ROLLBACK') return null;
  // ROLLBACK [WORK | TRANSACTION] TO [SAVEPOINT] name
  const [noise = ''] = /^(work|transaction)\b/i.exec(next) ?? [];
  return /^to\b/i.test(withoutComments(next.slice(noise.length))) ? null : word;
}

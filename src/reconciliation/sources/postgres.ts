// A table or a query of a PostgreSQL server, in one snapshot: COPY writes it into a file of the private folder, with a checksum of
// each row that the server counts. Numbers, dates and times have the types they have there. A password is never shown.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { ReconciliationInputError } from '../inputError.ts';
import { type Address, parseAddress, shownSource, withVariables } from './address.ts';
import { CopyOut } from './copyOut.ts';
import { contentsOf, exportedTable } from './exportedTable.ts';
import type { OpenRequest, OpenSource, Side, Source, TypedColumn } from './source.ts';
import { checkQueryNames } from './sqlite.ts';

export async function postgresSource(side: Side, address: string): Promise<Source> {
  const path = shownSource(address);
  const { place, asked } = parseAddress(address);
  const { columns, size } = await connected(address, async (client, asked) => ({
    columns: await describe(path, client, asked),
    size: await estimate(client, asked),
  }));
  const parts = ['postgres', shownSource(place), asked, columns, size];
  return {
    side,
    path,
    size,
    files: [],
    fingerprint: createHash('sha256').update(JSON.stringify(parts)).digest('hex'),
    columns: columns.map((column) => column.name),
    contents: (signal) => connected(address, checksum, signal),
    open: (request) => openPostgres(side, address, size, request),
  };
}

/** Of one row, `r`: what is seen of it in any change. */
const hash = 'hashtextextended(r::text, 0)';

/** Count and sum of the rows' checksums, which no order of theirs changes. As `contentsOf` says it. */
async function checksum(client: Client, asked: string): Promise<string> {
  const { rows } = await client.query(
    `SELECT count(*)::text || ' ' || coalesce(sum(${hash}), 0)::text AS contents FROM ${asked} r`,
  );
  return String(rows[0].contents);
}

async function openPostgres(
  side: Side,
  address: string,
  size: number,
  { database, folder, signal, progress }: OpenRequest,
): Promise<OpenSource> {
  const path = shownSource(address);
  const target = join(folder, `${side}.csv`);
  let bytes = 0;
  const columns = await connected(
    address,
    async (client, asked) => {
      const columns = await describe(path, client, asked);
      const file = await open(target, 'w', 0o600);
      try {
        const copy = new CopyOut(
          `COPY (SELECT ${hash}, r.* FROM ${asked} r) TO STDOUT (FORMAT csv)`,
          file,
          (written) => {
            bytes += written;
            progress(Math.min(0.99, bytes / size));
          },
        );
        client.query(copy);
        await copy.ended();
      } finally {
        await file.close();
      }
      return columns;
    },
    signal,
  );
  const file = { path: target, bytes };
  const contents = await contentsOf(database, file, columns.length);
  return exportedTable(database, side, path, file, columns, contents);
}

/** `act` gets what stands after FROM. All it does is in one snapshot, and changes nothing. */
async function connected<T>(
  address: string,
  act: (client: Client, asked: string) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const path = shownSource(address);
  const { place, asked } = parseAddress(address);
  const pg = await loadPg();
  signal?.throwIfAborted();
  let client: Client | undefined;
  // A connection that is gone ends what waits for it; the same error need not be thrown twice.
  const stop = () => void client?.end().catch(() => undefined);
  try {
    client = new pg.Client({
      connectionString: withVariables(address, place),
      fallback_application_name: 'unstuck',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined);
    await client.connect();
    signal?.addEventListener('abort', stop, { once: true });
    signal?.throwIfAborted();
    // A long query ends with whoever asked, also where that is killed. Servers before 14 do not know it.
    await client.query("SET client_connection_check_interval = '1s'").catch(() => undefined);
    for (const statement of beginning) await client.query(statement);
    return await act(client, await fromClause(path, client, asked));
  } catch (error) {
    signal?.throwIfAborted();
    throw refused(path, error);
  } finally {
    signal?.removeEventListener('abort', stop);
    await client?.end().catch(() => undefined);
  }
}

/** The same texts wherever and whenever it is read. */
const beginning = [
  "SET TimeZone = 'UTC'",
  "SET DateStyle = 'ISO, YMD'",
  "SET IntervalStyle = 'iso_8601'",
  "SET bytea_output = 'hex'",
  'SET extra_float_digits = 1',
  'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY',
];

async function fromClause(path: string, client: Client, asked: Address['asked']): Promise<string> {
  if ('query' in asked) return `(${asked.query.trim().replace(/;+$/, '')}\n)`;
  const { table } = asked;
  const quoted = table.includes('"')
    ? table
    : table
        .split('.')
        .map((part) => `"${part}"`)
        .join('.');
  for (const name of /^[\w.$]+$/.test(table) ? [quoted, table] : [quoted]) {
    const { rows } = await client.query('SELECT to_regclass($1)::text AS name', [name]);
    if (rows[0].name !== null) return `(SELECT * FROM ${rows[0].name})`;
  }
  throw new ReconciliationInputError(
    path,
    'a table',
    `none of the name ${table}`,
    'Check the spelling and the schema.',
  );
}

async function describe(path: string, client: Client, asked: string): Promise<TypedColumn[]> {
  const { fields } = await client.query(`SELECT * FROM ${asked} r LIMIT 0`);
  const names = fields.map((field) => field.name);
  checkQueryNames(path, names);
  return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
    name,
    type: dataTypeID === numeric ? decimal(dataTypeModifier) : (types.get(dataTypeID) ?? 'VARCHAR'),
  }));
}

const numeric = 1700;
/** By the numbers that PostgreSQL's own types have; any other is text. */
const types = new Map([
  [16, 'BOOLEAN'],
  [21, 'SMALLINT'],
  [23, 'INTEGER'],
  [20, 'BIGINT'],
  [700, 'FLOAT'],
  [701, 'DOUBLE'],
  [1082, 'DATE'],
  [1114, 'TIMESTAMP'],
  [1184, 'TIMESTAMP WITH TIME ZONE'],
]);

/** Text where it is of any precision: nothing is rounded to fit. */
function decimal(modifier: number): string {
  if (modifier < 4) return 'VARCHAR';
  const precision = ((modifier - 4) >> 16) & 0xffff;
  const scale = (modifier - 4) & 0x7ff;
  return precision <= 38 && scale <= precision ? `DECIMAL(${precision}, ${scale})` : 'VARCHAR';
}

/** As bytes, by the planner's estimate; in steps of two, so that it stays the same as long as the table does, about. */
async function estimate(client: Client, asked: string): Promise<number> {
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) SELECT * FROM ${asked} r`);
  const plan = rows[0]['QUERY PLAN'][0].Plan;
  return 2 ** Math.round(Math.log2(Math.max(1024, plan['Plan Rows'] * plan['Plan Width'])));
}

type Pg = typeof import('pg');

async function loadPg(): Promise<Pg> {
  try {
    const loaded = (await import('pg')) as Pg & { default?: Pg };
    return loaded.default ?? loaded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ReconciliationInputError('pg', 'the package', 'none installed', 'Install it: npm install pg');
  }
}

/** What the server says, and what says that there is none. Without its cause: that may hold the address. */
function refused(path: string, error: unknown): unknown {
  if (error instanceof ReconciliationInputError || !(error instanceof Error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const isServer = 'severity' in error;
  const expected = isServer
    ? 'a table or a query that PostgreSQL can read'
    : 'a PostgreSQL server that can be reached';
  const got = (message === '' ? (code ?? 'no answer') : message).replace(/\s+/g, ' ');
  return new ReconciliationInputError(
    path,
    expected,
    got,
    isServer ? 'Correct it and run again.' : 'Check the address.',
  );
}

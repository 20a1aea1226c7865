// Two files to reconcile, as many rows as wanted, by DuckDB's range(): what stands in them follows from the number of a
// row, so the truth is known without comparing anything. The right one is in another order.

import { DuckDBInstance } from '@duckdb/node-api';

/** What a side of the benchmark must find; `duplicates` are rows. */
export interface Counts {
  matched: number;
  mismatched: number;
  onlyLeft: number;
  onlyRight: number;
  duplicates: number;
}

/** Of each thousand rows. */
const amountDiffers = [0, 9] as const;
const textDiffers = [10, 12] as const;
const onlyLeft = [13, 17] as const;
const onlyRight = [18, 22] as const;
const twiceLeft = 23;

const within = ([first, last]: readonly [number, number]) => `i % 1000 BETWEEN ${first} AND ${last}`;

/** `rows` is a multiple of 1000. Columns: id (the key), booked, amount, currency, counterparty, description. */
export async function makeFiles(rows: number, left: string, right: string): Promise<Counts> {
  if (rows % 1000 !== 0) throw new Error(`rows: expected a multiple of 1000, got ${rows}.`);
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const select = (amount: string, description: string, where: string) => `
    SELECT 'TX' || lpad(i::VARCHAR, 10, '0') AS id, DATE '2024-01-01' + (i * 7 % 366)::INTEGER AS booked,
      ((hash(i) % 9000000 + ${amount}) / 100)::DECIMAL(12, 2) AS amount, ['EUR', 'USD', 'CHF'][1 + i % 3] AS currency,
      'Counterparty ' || (hash(i, 1) % 5000) AS counterparty, 'invoice ' || (hash(i, 2) % 100000) || ${description} AS description
    FROM range(${rows}) t(i) WHERE NOT (${where})`;
  const write = (query: string, path: string) => connection.run(`COPY (${query}) TO '${path}' (FORMAT csv)`);
  const plain = select('0', "''", within(onlyRight));
  const twice = select('1', "''", `i % 1000 <> ${twiceLeft}`);
  await write(`${plain} UNION ALL ${twice}`, left);
  await write(
    `${select(`(${within(amountDiffers)})::INTEGER`, `CASE WHEN ${within(textDiffers)} THEN ' (corrected)' ELSE '' END`, within(onlyLeft))}
     ORDER BY hash(i, 3)`,
    right,
  );
  connection.closeSync();
  instance.closeSync();
  const share = (n: number) => (rows / 1000) * n;
  return {
    matched: share(976),
    mismatched: share(13),
    onlyLeft: share(5),
    onlyRight: share(5),
    duplicates: share(3),
  };
}

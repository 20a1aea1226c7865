// DuckDB by hand: bare.ts LEFT RIGHT OUT, one full join with duplicates taken out first, and the same reports written. Or
// bare.ts LEFT RIGHT: the files are parsed, and that is all.

import { DuckDBInstance } from '@duckdb/node-api';

const [left = '', right = '', out] = process.argv.slice(2);
const names = ['booked', 'amount', 'currency', 'counterparty', 'description'];
const startedAt = performance.now();
const instance = await DuckDBInstance.create(':memory:', { preserve_insertion_order: 'false' });
const connection = await instance.connect();
const file = (path: string) => `read_csv('${path}', header = true, all_varchar = true)`;
const one = async (sql: string) => Number((await connection.runAndReadAll(sql)).getRows()[0]![0]);
const columns = ['id', ...names];

let counts: object;
if (out === undefined) {
  const parsed = async (path: string) =>
    one(`SELECT sum(${columns.map((name) => `length(${name})`).join(' + ')}) FROM ${file(path)}`);
  counts = { characters: (await parsed(left)) + (await parsed(right)) };
} else {
  const copy = (query: string, name: string) =>
    connection.run(`COPY (${query}) TO '${out}/${name}.csv' (FORMAT csv)`);
  await connection.run(`CREATE TABLE l AS SELECT * FROM ${file(left)}`);
  await connection.run(`CREATE TABLE r AS SELECT * FROM ${file(right)}`);
  await connection.run(
    `CREATE TABLE twice AS SELECT id FROM l GROUP BY id HAVING count(*) > 1
     UNION SELECT id FROM r GROUP BY id HAVING count(*) > 1`,
  );
  const unique = (side: string) => `(SELECT * FROM ${side} ANTI JOIN twice USING (id))`;
  await connection.run(
    `CREATE TABLE exceptions AS
     SELECT l.id AS l_id, r.id AS r_id, ${names.map((name) => `l.${name} AS l_${name}, r.${name} AS r_${name}`).join(', ')}
     FROM ${unique('l')} l FULL JOIN ${unique('r')} r ON l.id = r.id
     WHERE l.id IS NULL OR r.id IS NULL OR ${names.map((name) => `l.${name} IS DISTINCT FROM r.${name}`).join(' OR ')}`,
  );
  const differences = names.map(
    (name) =>
      `SELECT l_id AS id, '${name}' AS "column", l_${name}, r_${name} FROM exceptions
       WHERE l_id = r_id AND l_${name} IS DISTINCT FROM r_${name}`,
  );
  await copy(`SELECT * FROM (${differences.join(' UNION ALL ')}) ORDER BY 1, 2`, 'differences');
  for (const [side, other] of ['lr', 'rl'].map((pair) => [pair[0]!, pair[1]!])) {
    const all = columns.map((name) => `${side}_${name}`).join(', ');
    await copy(`SELECT ${all} FROM exceptions WHERE ${other}_id IS NULL ORDER BY ALL`, `only-${side}`);
    await copy(`SELECT * FROM ${side} SEMI JOIN twice USING (id) ORDER BY ALL`, `duplicates-${side}`);
  }
  const onlyLeft = await one('SELECT count(*) FROM exceptions WHERE r_id IS NULL');
  const onlyRight = await one('SELECT count(*) FROM exceptions WHERE l_id IS NULL');
  const mismatched = await one('SELECT count(*) FROM exceptions WHERE l_id = r_id');
  const duplicatesLeft = await one('SELECT count(*) FROM l SEMI JOIN twice USING (id)');
  const duplicatesRight = await one('SELECT count(*) FROM r SEMI JOIN twice USING (id)');
  counts = {
    matched: (await one('SELECT count(*) FROM l')) - mismatched - onlyLeft - duplicatesLeft,
    ...{ mismatched, onlyLeft, onlyRight, duplicates: duplicatesLeft + duplicatesRight },
  };
}
console.log(JSON.stringify({ seconds: (performance.now() - startedAt) / 1000, counts }));

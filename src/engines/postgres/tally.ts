// How many jobs of each name are in each state: what each transaction has added and taken away (transaction.ts), and now and
// then the sum of it.

/** What others add meanwhile, or sum up, is passed over. */
export function sumUp(schema: string): string {
  return `WITH gone AS (
      DELETE FROM ${schema}.tally WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${schema}.tally FOR UPDATE SKIP LOCKED))
      RETURNING name, state, n)
    INSERT INTO ${schema}.tally (name, state, n, change) SELECT name, state, sum(n), 0 FROM gone GROUP BY name, state HAVING sum(n) <> 0`;
}

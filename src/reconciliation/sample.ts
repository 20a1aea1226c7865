// Which keys a sample holds: those whose hash is below a limit. So a key is in it on both sides or on neither, whatever
// the order of the rows, and each run of the same files takes the same ones.

import type { Database } from './database.ts';

/** Another hash than that which makes the buckets. */
export function sampleHash(key: readonly string[]): string {
  return `hash('sample', ${key.join(', ')})`;
}

export function isInSample(key: readonly string[], limit: bigint): string {
  return `${sampleHash(key)} < '${limit}'::UBIGINT`;
}

/** Of `5%`: a part of all hashes that there are. Null: no limit. */
export function limitOfPart(sample: string): bigint | null {
  const billionths = BigInt(Math.round(Number.parseFloat(sample) * 1e7));
  return billionths >= 1_000_000_000n ? null : ((1n << 64n) * billionths) / 1_000_000_000n;
}

/** Of `1000`: the hash of the first key that is too many, in the table `hashes`. Null: there are no more keys than that. */
export async function limitOfKeys(database: Database, sample: string): Promise<bigint | null> {
  const [next] = await database.rows(
    `SELECT CAST(hash AS VARCHAR) AS text FROM (SELECT DISTINCT hash FROM hashes) ORDER BY hash OFFSET ${sample} LIMIT 1`,
  );
  return next === undefined ? null : BigInt(String(next.text));
}

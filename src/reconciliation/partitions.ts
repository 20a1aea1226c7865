// Where the rows of a side wait for their chunk: a folder of Parquet files, those of each bucket apart, so that a chunk
// reads its own and nothing else. Writing them takes half of what sorting a table takes. `left_rows` and `right_rows` are
// views of them; what Parquet would not give back as it was stays in a table of that name, in the order of the buckets.

import { existsSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, literal, pathLiteral } from './database.ts';
import type { Side } from './source.ts';

const exact =
  /^(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE|BLOB)$/;

/** `select` has a column `bucket`. Needs a folder of its own, `folder`, that is not there yet. */
export async function writeRows(
  database: Database,
  folder: string,
  side: Side,
  select: string,
  types: readonly string[],
): Promise<void> {
  if (types.every((type) => exact.test(type))) {
    const path = join(folder, side);
    const written = await database.run(
      `COPY (${select}) TO ${literal(path)} (FORMAT parquet, COMPRESSION lz4_raw, PARTITION_BY (bucket))`,
    );
    if (written > 0) {
      await sync(path);
      return openRows(database, folder);
    }
    // An empty folder is no rows that could be read.
    await rm(path, { recursive: true, force: true });
  }
  await database.run(`CREATE TABLE ${side}_rows AS ${select} ORDER BY bucket`);
}

/** Makes the views of what was written; they belong to this opening of the staging. */
export async function openRows(database: Database, folder: string): Promise<void> {
  for (const side of ['left', 'right']) {
    const path = join(folder, side);
    if (!existsSync(path)) continue;
    await database.run(
      `CREATE OR REPLACE TEMP VIEW ${side}_rows AS SELECT * FROM
       read_parquet(${pathLiteral(path).slice(0, -1)}/*/*.parquet', hive_partitioning = true, hive_types = {'bucket': USMALLINT})`,
    );
  }
}

/** On disk before the staging counts as whole. */
async function sync(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await open(join(entry.parentPath, entry.name), 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

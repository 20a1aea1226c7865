// The PostgreSQL server that tests use: that of UNSTUCK_POSTGRES, else the one on this machine, else one that was started for them
// (support/postgresForAll.ts). Each test has a schema of its own, which is removed at the end.

import { randomUUID } from 'node:crypto';
import pg from 'pg';

export const postgresUrl = process.env.UNSTUCK_POSTGRES ?? 'postgres://postgres@127.0.0.1:5432/test';

const schemas: string[] = [];

export function schemaOfItsOwn(): string {
  const schema = `unstuck_test_${randomUUID().slice(0, 8)}`;
  schemas.push(schema);
  return schema;
}

export async function isPostgresThere(): Promise<boolean> {
  const client = new pg.Client({ connectionString: postgresUrl, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** As its owner: for what an engine does not do. */
export async function onServer<T>(act: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}

export async function removeSchemas(): Promise<void> {
  await onServer(async (client) => {
    // What a test that failed has left open keeps its own, and not those of the others.
    await client.query(`SET lock_timeout = '5s'`);
    const removed = await Promise.allSettled(
      schemas.splice(0).map((schema) => client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)),
    );
    for (const outcome of removed) if (outcome.status === 'rejected') throw outcome.reason;
  });
}

// The schema of an installation, seen from outside of the engine: whether it is there, set up or brought up to date ahead of
// those who use it, and what a role needs that only uses it.

import { Connections } from './connections.ts';
import { engineErrorOf } from './databaseErrors.ts';
import { migrate, newestVersion, quoted, versionOf } from './schema.ts';

/** By the URL's `schema`, else `unstuck`. */
export function schemaOf(url: string): string {
  return new URL(url).searchParams.get('schema') ?? 'unstuck';
}

/** 0: nothing of it is there yet. Changes nothing. */
export function versionAt(url: string): Promise<number> {
  return connected(url, (client, schema) => versionOf(client, schema));
}

/** Makes the schema, or brings it up to date. Answers with the version that was there, and the one that is. */
export function setUp(url: string): Promise<{ from: number; to: number }> {
  return connected(url, async (client, schema) => {
    const from = await versionOf(client, schema);
    await migrate(client, schema);
    return { from, to: newestVersion };
  });
}

async function connected<T>(
  url: string,
  act: (client: Awaited<ReturnType<Connections['dedicated']>>, schema: string) => Promise<T>,
): Promise<T> {
  const schema = schemaOf(url);
  const connections = new Connections({ url, schema, maxConnections: 1, durability: 'full', now: null });
  try {
    await connections.open();
    const client = await connections.dedicated();
    try {
      return await act(client, schema);
    } finally {
      await client.end();
      await connections.close();
    }
  } catch (error) {
    throw engineErrorOf(connections.place, error);
  }
}

/** What gives a role what it needs to submit and run jobs, and no more: it can make, change or drop no table. */
export function grants(schema: string, role: string): string[] {
  const [at, to] = [quoted(schema), quoted(role)];
  return [
    `GRANT USAGE ON SCHEMA ${at} TO ${to};`,
    `GRANT SELECT ON ${at}.migrations TO ${to};`,
    ...['jobs', 'tally', 'starts', 'output', 'pruned', 'schedules', 'paused', 'nodes'].map(
      (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${at}.${table} TO ${to};`,
    ),
    ...['places', 'changes'].map((sequence) => `GRANT USAGE, SELECT ON SEQUENCE ${at}.${sequence} TO ${to};`),
    `GRANT EXECUTE ON FUNCTION ${at}.refill(text, text) TO ${to};`,
  ];
}

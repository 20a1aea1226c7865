// The tests' own PostgreSQL server keeps what was committed through a kill -9, and leaves nothing behind.

import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { findBinaries, OwnPostgres } from './ownPostgres.ts';
import { children } from './processes.ts';

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('unstuck-postgres-'));

describe.skipIf(findBinaries() === null)('a PostgreSQL server of its own', () => {
  test('keeps what was committed when it is killed with -9, and leaves neither process nor folder', async () => {
    const before = { folders: new Set(folders()), children: new Set(children()) };
    const others = () => ({
      folders: folders().filter((name) => !before.folders.has(name)),
      children: children().filter((pid) => !before.children.has(pid)),
    });
    const server = await OwnPostgres.start();
    expect(others()).toMatchObject({ folders: [expect.anything()], children: [expect.anything()] });
    expect(await server.ask('SHOW fsync')).toEqual([{ fsync: 'on' }]);
    await server.ask('CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    await server.kill();
    await expect(server.ask('SELECT 1')).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(await server.ask('SELECT n FROM kept')).toEqual([{ n: 7 }]);
    await server[Symbol.asyncDispose]();
    expect(others()).toEqual({ folders: [], children: [] });
    expect(existsSync(`/tmp/.s.PGSQL.${server.port}`)).toBe(false);
  });
});

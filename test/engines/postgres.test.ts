import { afterAll, describe, test } from 'vitest';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { engineContract } from './contract.ts';
import { limitsContract } from './limitsContract.ts';
import { isPostgresThere, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

const create = () => new PostgresEngine({ url: postgresUrl, schema: schemaOfItsOwn(), time: 'given' });

if (await isPostgresThere()) {
  afterAll(removeSchemas);
  engineContract('postgres', create);
  // A schema each, and a commit a step.
  limitsContract('postgres', create, 8);
} else {
  describe(`nothing answers at ${postgresUrl}: name a server by UNSTUCK_POSTGRES`, () => {
    test.skip('the postgres engine keeps the contract', () => {});
  });
}

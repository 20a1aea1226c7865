// Before all tests: where nobody has named a PostgreSQL server and none listens at its usual place, one of our own is started for all of them.
// UNSTUCK_POSTGRES=own asks for one in any case. Where it cannot be started the tests that need one are skipped, and counted.

import { isListening } from '../../bench/peers/index.ts';
import { findBinaries, OwnPostgres } from './ownPostgres.ts';

export default async function start(): Promise<(() => Promise<void>) | undefined> {
  const named = process.env.UNSTUCK_POSTGRES;
  if (named === undefined ? await isListening(5432) : named !== 'own') return undefined;
  if (findBinaries() === null) {
    console.log(
      'No PostgreSQL server listens at 127.0.0.1:5432, and none is installed: tests that need one are skipped.',
    );
    delete process.env.UNSTUCK_POSTGRES;
    return undefined;
  }
  const server = await OwnPostgres.start({ settings: ['max_connections=400'] });
  process.env.UNSTUCK_POSTGRES = server.url();
  return () => server[Symbol.asyncDispose]();
}

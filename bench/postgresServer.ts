// The PostgreSQL server that is measured.

import { isListening } from './peers/index.ts';

/** By `UNSTUCK_POSTGRES`, else the one on this machine. */
export const connectionString = process.env.UNSTUCK_POSTGRES ?? 'postgres://root@127.0.0.1:5432/test';

/** Rejects where nothing listens there. */
export async function needServer(): Promise<void> {
  const { hostname, port } = new URL(connectionString);
  if (!(await isListening(Number(port === '' ? 5432 : port))))
    throw new Error(`nothing listens at ${hostname}: name a PostgreSQL server by UNSTUCK_POSTGRES`);
}

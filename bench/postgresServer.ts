// The PostgreSQL server that is measured.

/** By `UNSTUCK_POSTGRES`, else the one on this machine. */
export const connectionString = process.env.UNSTUCK_POSTGRES ?? 'postgres://root@127.0.0.1:5432/test';

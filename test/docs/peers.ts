// The job systems that the migration pages show: whether they can be run here, and the removal of what their code leaves.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isListening } from '../../bench/peers/index.ts';
import { ensurePeers } from '../../bench/peers/install.ts';
import { isPostgresThere, postgresUrl } from '../engines/postgresServer.ts';

/** Package → whether it is installed, and its server answers. */
export type Peers = Readonly<Record<string, boolean>>;

export async function findPeers(): Promise<Peers> {
  const isInstalled = attempt(ensurePeers);
  const [redis, postgres] = await Promise.all([isListening(6379), isPostgresThere()]);
  return {
    bullmq: isInstalled && redis,
    'pg-boss': isInstalled && postgres,
    bree: isInstalled,
    pg: postgres,
  };
}

/** For pages whose code did not come to its end: the pages call it `shop`, here it has a name of this run. */
export function removeTraces(project: string, peers: Peers, name: string): void {
  const redis = `
    import { Redis } from 'ioredis';
    const redis = new Redis(process.env.REDIS_URL);
    const keys = await redis.keys('${name}:*');
    if (keys.length > 0) await redis.del(keys);
    await redis.quit();`;
  const postgres = `
    import pg from 'pg';
    const client = new pg.Client(process.env.DATABASE_URL);
    await client.connect();
    await client.query('drop schema if exists "${name}" cascade');
    await client.end();`;
  for (const code of [peers.bullmq ? redis : '', peers.pg ? postgres : '']) {
    writeFileSync(join(project, 'remove.js'), code);
    spawnSync(process.execPath, ['remove.js'], { cwd: project, env: { ...process.env, ...servers } });
  }
}

/** What pages read from their environment. */
export const servers = {
  REDIS_URL: 'redis://127.0.0.1:6379',
  DATABASE_URL: postgresUrl,
};

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

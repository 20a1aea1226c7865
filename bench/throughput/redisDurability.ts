// How durable Redis is while it is measured: its append-only file on, with an fsync each second or before each
// answer. What it was set to before is put back.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';

export type Fsync = 'everysec' | 'always';

export async function withRedisFsync<T>(fsync: Fsync, act: () => Promise<T>): Promise<T> {
  const { Redis: Client } = await import('ioredis');
  const redis: Redis = new Client({ host: '127.0.0.1', port: 6379 });
  const names = ['appendonly', 'appendfsync'] as const;
  const before = await Promise.all(names.map(async (name) => (await redis.config('GET', name)) as string[]));
  const restore = async () => {
    for (const [name = '', value = ''] of before) await redis.config('SET', name, value);
  };
  try {
    await redis.config('SET', 'appendfsync', fsync);
    await redis.config('SET', 'appendonly', 'yes');
    // It writes what it holds into a new file first.
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await redis.info('persistence'))) await pause(50);
    return await act();
  } finally {
    await restore();
    await redis.quit();
  }
}

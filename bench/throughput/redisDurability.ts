// How durable Redis is while it is measured: its append-only file on, with an fsync each second or before each
// answer. What it was set to before is put back.

import { setTimeout as pause } from 'node:timers/promises';

interface RedisClient {
  config(act: 'GET' | 'SET', name: string, value?: string): Promise<unknown>;
  info(section: string): Promise<string>;
  quit(): Promise<unknown>;
}

export type Fsync = 'everysec' | 'always';

export async function withRedisFsync<T>(fsync: Fsync, act: () => Promise<T>): Promise<T> {
  // Installed with the other job systems, when they are first measured: not there for the types.
  const { Redis } = (await import('ioredis' as string)) as { Redis: new (at: object) => RedisClient };
  const redis = new Redis({ host: '127.0.0.1', port: 6379 });
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

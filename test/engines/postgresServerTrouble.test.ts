// What PostgreSQL and the network do to the engine, and what its processes tell each other: a server that is not there, connections
// that are cut, notifications that are lost, a schema that is not ours or newer, a role with few rights.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import type { Watcher } from '../../src/engines/engine.ts';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { JobProcessor } from '../../src/index.ts';
import { plainJob, verdict } from './contract.ts';
import { isPostgresThere, onServer, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

const engineError = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_UNSTUCK_ENGINE', message: expect.stringMatching(message) });
const job = (id: string) => ({ ...plainJob, id, name: 'x', input: '1', idempotencyKey: null });
const claim = { owner: 'me', ahead: 0, names: ['x'], leaseMs: 15_000 };

async function opened(schema: string, server = postgresUrl): Promise<PostgresEngine> {
  const url = new URL(server);
  // Its connections are known by it.
  url.searchParams.set('application_name', schema);
  const engine = new PostgresEngine({ url: url.href, schema });
  onTestFinished(() => engine.close());
  await engine.open(systemClock);
  return engine;
}

/** Real time: what is waited for is done by another connection. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const last = performance.now() + 20_000;
  while (!(await isSo())) {
    expect(performance.now(), 'waited in vain').toBeLessThan(last);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Ends the connections of the engines on a schema, as a failing network or server would. Answers with how many. */
async function cutOff(schema: string, which: 'all' | 'listening'): Promise<number> {
  const ended = await onServer((client) =>
    client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND ($2 = 'all' OR query LIKE 'LISTEN %')`,
      [schema, which],
    ),
  );
  return ended.rows.length;
}

test('a server that is not there is named, and its password is not', async () => {
  const engine = new PostgresEngine({ url: 'postgres://someone:secret@127.0.0.1:1/jobs' });
  const error = await engine.open(systemClock).catch((error: Error) => error);
  expect(error).toEqual(engineError(/^postgres at 127\.0\.0\.1:1, database jobs: nothing answers there/));
  expect(JSON.stringify([String(error), (error as Error).message])).not.toContain('secret');
});

test('a URL that cannot be read is refused, and not repeated', () => {
  const make = () => new JobProcessor({ engine: 'postgres://someone:se#cret@:host', jobs: {} });
  expect(make).toThrow(/engine: expected a URL such as postgres:\/\/user@host:5432\/database/);
  expect(make).not.toThrow(/cret/);
});

describe.skipIf(!(await isPostgresThere()))(`on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  test('processes that set the schema up at the same time make it once', async () => {
    const schema = schemaOfItsOwn();
    const engines = await Promise.all(Array.from({ length: 5 }, () => opened(schema)));
    await engines[0]?.submit([job('a')]);
    for (const engine of engines) expect(await engine.count(['queued'])).toBe(1);
  });

  test('a schema of something else is left as it is', async () => {
    const schema = schemaOfItsOwn();
    await onServer((client) =>
      client.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.jobs (theirs int)`),
    );
    await expect(opened(schema)).rejects.toEqual(engineError(/got tables of something else/));
    const { rows } = await onServer((client) =>
      client.query(
        `SELECT count(*)::int AS n FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1`,
        [schema],
      ),
    );
    expect(rows).toEqual([{ n: 1 }]);
  });

  test('a schema of a newer version is refused', async () => {
    const schema = schemaOfItsOwn();
    await (await opened(schema)).close();
    await onServer((client) => client.query(`INSERT INTO ${schema}.migrations (version) VALUES (99)`));
    await expect(opened(schema)).rejects.toEqual(engineError(/got version 99\. Use the newer unstuck/));
  });

  test('a call that cannot be carried out fails alone, among those that came with it', async () => {
    const engine = await opened(schemaOfItsOwn());
    await engine.submit([job('a')]);
    const both = await Promise.allSettled([
      engine.submit([job('b')]),
      engine.submit([job('a')]),
      engine.submit([job('c')]),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await engine.count(['queued'])).toBe(3);
  });

  test('calls that come together share a transaction', async () => {
    const engine = await opened(schemaOfItsOwn());
    await Promise.all(
      Array.from({ length: 50 }, async (_, caller) => {
        for (let n = 0; n < 20; n += 1) await engine.submit([job(`${caller}-${n}`)]);
      }),
    );
    expect(await engine.count(['queued'])).toBe(1000);
    expect(engine.commits).toBeLessThan(60);
  });

  test('a settlement that keeps a row does not keep the heartbeats of others waiting, nor is its own job lost', async () => {
    const schema = schemaOfItsOwn();
    const engine = await opened(schema);
    await engine.submit([job('a'), job('b')]);
    const claimed = await engine.claim({ ...claim, limit: 2 });
    const beats = claimed.map(({ id, token }) => ({
      id,
      token: token as string,
      heartbeatAt: 7,
      total: null,
    }));
    await onServer(async (client) => {
      await client.query(`BEGIN; SELECT 1 FROM ${schema}.jobs WHERE id = 'a' FOR UPDATE`);
      const replies = await engine.beat(beats, 15_000);
      expect(replies.map(({ held, renewed }) => [held, renewed])).toEqual([
        [true, false],
        [true, true],
      ]);
      await client.query('ROLLBACK');
    });
    expect((await engine.get('a'))?.lastHeartbeatAt).not.toBe(7);
    expect((await engine.get('b'))?.lastHeartbeatAt).toBe(7);
  });

  test('what another process has changed is heard within moments', async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await opened(schema), await opened(schema)];
    const heard: string[] = [];
    let controls = 0;
    other.watch({
      changed: (id, state) => heard.push(`${id} ${state}`),
      controlsChanged: () => (controls += 1),
      missed: () => heard.push('missed'),
    });
    await one.submit([job('a'), job('b')]);
    const [first] = await one.claim({ ...claim, limit: 1 });
    await one.settle('a', first?.token as string, verdict('completed'));
    await one.setPaused('x', true);
    await until(() => heard.length >= 4 && controls === 1);
    // One that waits for long is told again.
    expect([...new Set(heard)]).toEqual(['a queued', 'b queued', 'a running', 'a completed']);
  });

  test('more than notifications can hold is told as that', async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await opened(schema), await opened(schema)];
    const told = { changed: 0, missed: 0 };
    other.watch({ changed: () => (told.changed += 1), missed: () => (told.missed += 1) });
    await one.submit(Array.from({ length: 5000 }, (_, n) => job(`job-with-a-long-name-${n}`)));
    await until(() => told.missed > 0);
    expect(told.changed).toBeGreaterThan(1000);
  });

  test('a notification that is lost is missed a moment later, and one that was heard is not', async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await opened(schema), await opened(schema)];
    const missed = { one: 0, other: 0 };
    const watcher = (who: 'one' | 'other'): Watcher => ({
      changed: () => {},
      missed: () => (missed[who] += 1),
    });
    one.watch(watcher('one'));
    other.watch(watcher('other'));
    for (let n = 0; n < 20; n += 1) {
      await one.submit([job(`heard-${n}`)]);
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    expect(missed).toEqual({ one: 0, other: 0 });
    // As of a process that ended between its commit and the notification.
    await onServer((client) =>
      client.query(`INSERT INTO ${schema}.tally (name, state, n) VALUES ('x', 'queued', 0)`),
    );
    await until(() => missed.one > 0 && missed.other > 0);
    expect(missed).toEqual({ one: 1, other: 1 });
  });

  test('one that was cut off from notifications hears them again, and looks at what it missed', async () => {
    const schema = schemaOfItsOwn();
    const [one, other] = [await opened(schema), await opened(schema)];
    const heard: string[] = [];
    other.watch({ changed: (id) => heard.push(id), missed: () => heard.push('missed') });
    expect(await cutOff(schema, 'listening')).toBe(2);
    await until(() => heard.includes('missed'));
    await one.submit([job('a')]);
    await until(() => heard.includes('a'));
  });

  test('one whose connections were cut goes on', async () => {
    const schema = schemaOfItsOwn();
    const engine = await opened(schema);
    const submitting = Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => engine.submit([job(`a-${n}`)])),
    );
    expect(await cutOff(schema, 'all')).toBeGreaterThan(1);
    const answers = await submitting;
    const acknowledged = answers.flatMap(({ status }, n) => (status === 'fulfilled' ? [`a-${n}`] : []));
    for (const answer of answers)
      if (answer.status === 'rejected') expect(answer.reason).toEqual(engineError(/^postgres at /));
    await until(async () => (await engine.submit([job('after')]).catch(() => null)) !== null);
    for (const id of acknowledged) expect(await engine.get(id)).not.toBeNull();
  });

  test('a connection that is ended as soon as it is made, with one word, ends no process', async () => {
    const schema = schemaOfItsOwn();
    const held: Buffer[] = [];
    let isHolding = false;
    // Hands on what the server says: while it holds, all of it at once when the server hangs up.
    const proxy = createServer((near) => {
      const far = connect(Number(new URL(postgresUrl).port), new URL(postgresUrl).hostname);
      near.on('error', () => {}).pipe(far.on('error', () => {}));
      const holds = isHolding;
      far.on('data', (data) => (holds ? held.push(data) : near.write(data)));
      far.on('end', () => near.end(Buffer.concat(held.splice(0))));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void proxy.close());
    await once(proxy, 'listening');
    const url = new URL(postgresUrl);
    url.host = `127.0.0.1:${(proxy.address() as { port: number }).port}`;
    const engine = await opened(schema, url.href);
    await cutOff(schema, 'all');
    isHolding = true;
    const counted = expect(engine.count(['queued'])).rejects.toEqual(engineError(/^postgres at /));
    await until(() => held.length > 0);
    await until(async () => (await cutOff(schema, 'all')) > 0);
    await counted;
    isHolding = false;
    await until(async () => (await engine.count(['queued']).catch(() => null)) === 0);
  });

  test('a role that may not make tables works with a schema that was set up for it', async () => {
    const schema = schemaOfItsOwn();
    await (await opened(schema)).close();
    const role = `${schema}_role`;
    onTestFinished(() =>
      onServer((client) => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)).then(() => {}),
    );
    await onServer((client) =>
      client.query(`CREATE ROLE ${role} LOGIN;
        GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`),
    );
    const url = new URL(postgresUrl);
    url.username = role;
    const engine = await opened(schema, url.href);
    await engine.submit([job('a'), { ...job('b'), concurrencyKey: 'k' }]);
    const [claimed] = await engine.claim({ ...claim, limit: 1 });
    await engine.settle('a', claimed?.token as string, verdict('completed'));
    while (await engine.prune(['completed'], Date.now() + 1000));
    await engine.close();
    await expect(opened(schemaOfItsOwn(), url.href)).rejects.toEqual(
      engineError(/this role may not do that/),
    );
  });
});

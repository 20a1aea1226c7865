// The database of chaos: a server of its own with a role for the machines, tables in which its own triggers write down what the product
// does (a tick of a schedule, a change of a job that was over), and what can happen to a database.

import pg from 'pg';
import { pino } from 'pino';
import { JobProcessor } from '../../../src/index.ts';
import { OwnPostgres } from '../../support/ownPostgres.ts';
import { jobs } from './jobs.ts';

const audit = `
  CREATE SCHEMA audit;
  CREATE TABLE audit.orders (key text PRIMARY KEY);
  CREATE TABLE audit.ticks (at float8 NOT NULL, job text NOT NULL);
  CREATE FUNCTION audit.tick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit.ticks VALUES (NEW.last_tick_at, NEW.last_job_id); RETURN NULL;
  END $$;
  CREATE TRIGGER tick AFTER UPDATE ON unstuck.schedules FOR EACH ROW
    WHEN (NEW.last_job_id IS DISTINCT FROM OLD.last_job_id) EXECUTE FUNCTION audit.tick();
  CREATE TABLE audit.changed_when_over (id text NOT NULL);
  CREATE FUNCTION audit.over() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit.changed_when_over VALUES (OLD.id); RETURN NULL;
  END $$;
  CREATE TRIGGER over AFTER UPDATE ON unstuck.jobs FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION audit.over();
`;

export class Database implements AsyncDisposable {
  readonly server: OwnPostgres;

  private constructor(server: OwnPostgres) {
    this.server = server;
  }

  /** With a schedule that ticks each second. */
  static async start(): Promise<Database> {
    const server = await OwnPostgres.start({ settings: ['max_connections=100'] });
    await server.ask('CREATE ROLE machine LOGIN; GRANT CREATE ON DATABASE test TO machine');
    const engine = server.url('machine') as `postgres://${string}`;
    const processor = new JobProcessor({ engine, jobs, logger: pino({ level: 'silent' }) });
    await processor.schedule('each second', { name: 'tick', cron: '* * * * * *', overlap: 'allow' });
    await processor.stop();
    const client = new pg.Client(engine);
    await client.connect();
    await client.query(audit);
    await client.end();
    return new Database(server);
  }

  /** Connections of the machines are ended by the server, each by a chance of `share`. */
  async terminate(share: number): Promise<void> {
    await this.server.ask(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'machine' AND random() < ${share}`,
    );
  }

  /** The machines get no new connection, until `accept`. */
  async refuse(): Promise<void> {
    await this.server.ask('ALTER ROLE machine CONNECTION LIMIT 0');
    await this.terminate(0.7);
  }

  async accept(): Promise<void> {
    await this.server.ask('ALTER ROLE machine CONNECTION LIMIT -1');
  }

  /** The schedule ticks no more, so that all can end. */
  async unschedule(): Promise<void> {
    await this.server.ask('DELETE FROM unstuck.schedules');
  }

  async open(): Promise<number> {
    const [count] = await this.server.ask(
      'SELECT count(*)::int AS n FROM unstuck.jobs WHERE ended_at IS NULL',
    );
    return Number(count?.n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

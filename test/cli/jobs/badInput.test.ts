// Bad input of the job commands: one line that says what was expected, what came and what to do; exit 2; nothing on standard
// output but the one object of --json; nothing made.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { run, temporaryFolder } from '../commandLine.ts';
import { registry } from './jobCommands.ts';

const engine = ['--engine', 'sqlite:jobs.db'];
const submit = (...rest: string[]) => ['submit', registry, 'ways', '"return"', ...engine, ...rest];
const all: Record<string, string[]> = {
  list: [],
  show: ['1'],
  cancel: ['1'],
  timeout: ['1'],
  retry: ['1'],
  stuck: [],
  stats: [],
  inspect: [],
};

const cases: Record<string, { args: string[]; says: RegExp }> = {
  'no engine': {
    args: ['list'],
    says: /--engine: expected sqlite:FILE or postgres:\/\/HOST\/DATABASE, got nothing\. .*UNSTUCK_ENGINE/,
  },
  'an engine in memory': {
    args: ['work', registry, '--engine', 'memory'],
    says: /got "memory"\. Give --engine sqlite:/,
  },
  'a file for an engine': {
    args: ['list', '--engine', 'jobs.db'],
    says: /got "jobs\.db"\. Give --engine sqlite:jobs\.db/,
  },
  'an engine without a file': {
    args: ['submit', registry, 'ways', '--engine', 'sqlite:'],
    says: /got "sqlite:"/,
  },
  'a folder that is not there': {
    args: [...submit().slice(0, 4), '--engine', 'sqlite:no/jobs.db'],
    says: /no\/jobs\.db cannot be opened\. Does its folder exist/,
  },
  'an unknown state': {
    args: ['list', ...engine, '--state', 'done'],
    says: /--state.*'done'.*queued, running/,
  },
  'a time that is none': {
    args: ['list', ...engine, '--since', 'yesterday'],
    says: /--since.*'yesterday'.*2h, 1d/,
  },
  'a date that is none': {
    args: ['list', ...engine, '--until', '2026-13-40'],
    says: /--until.*or a date such as/,
  },
  'a limit of 0': { args: ['list', ...engine, '--limit', '0'], says: /--limit.*'0'.*1 or more/ },
  'an idle time of 0': { args: ['stuck', ...engine, '--idle', '0'], says: /--idle.*'0'.*above 0/ },
  'no id': { args: ['show', ...engine], says: /missing required argument 'id'.*See unstuck show --help/ },
  'an unknown option': {
    args: ['stats', '--wach'],
    says: /unknown option '--wach'.*--watch.*unstuck stats --help/,
  },
  'a module that is not there': {
    args: ['work', 'no.js', ...engine],
    says: /no\.js: expected a module that exports its jobs.*no file/,
  },
  'a module that throws': {
    args: ['work', 'throws.js', ...engine],
    says: /throws\.js: expected a module that can be imported, got TypeError: at import\.$/,
  },
  'a module that cannot be parsed': {
    args: ['work', 'broken.js', ...engine],
    says: /broken\.js: .*SyntaxError/,
  },
  'a module without jobs': {
    args: ['work', 'empty.js', ...engine],
    says: /empty\.js: .*got one that exports other\. For example/,
  },
  'a single job': {
    args: ['work', 'single.js', ...engine],
    says: /single\.js: .*got a single job without a name/,
  },
  'a job that is none': {
    args: ['work', 'wrong.js', ...engine],
    says: /jobs\.x: expected a job of defineJob/,
  },
  'no concurrency': { args: ['work', registry, ...engine, '-c', '0'], says: /--concurrency.*'0'.*1 or more/ },
  'a node without a name': {
    args: ['work', registry, ...engine, '--node-name', ' '],
    says: /--node-name.*1 to 100 characters, no control character/,
  },
  'a grace of -1': { args: ['work', registry, ...engine, '--grace', '-1'], says: /--grace.*'-1'/ },
  'a port that is none': { args: ['inspect', ...engine, '--port', '99999'], says: /--port.*0 to 65535/ },
  'an unknown job': {
    args: ['submit', registry, 'no', ...engine],
    says: /name: expected a job of the registry \(ways, .*got "no"/,
  },
  'an input that is no JSON': {
    args: ['submit', registry, 'ways', 'return', ...engine],
    says: /input: expected JSON, got "return".*'"text"'/,
  },
  'an empty input': {
    args: ['submit', registry, 'ways', '', ...engine],
    says: /input: expected JSON, got nothing/,
  },
  'an input that is refused': {
    args: ['submit', registry, 'checked', '{}', ...engine],
    says: /input\.to: expected an address/,
  },
  'a priority that is none': { args: submit('--priority', 'high'), says: /--priority.*'high'.*a number/ },
  'a timeout of 0': { args: submit('--job-timeout', '0'), says: /--job-timeout.*'0'.*above 0/ },
  'half an attempt': { args: submit('--max-attempts', '1.5'), says: /--max-attempts.*whole number/ },
  'a negative memory limit': { args: submit('--memory-limit', '-1'), says: /memory/i },
  'an empty key': { args: submit('--key', ''), says: /idempotencyKey: expected a string that is not empty/ },
};

describe('bad input', () => {
  test.each(Object.entries(cases))('%s', { timeout: 30_000 }, async (_, { args, says }) => {
    const cwd = temporaryFolder();
    const files = {
      'throws.js': "throw new TypeError('at import');",
      'broken.js': 'export const jobs = {',
      'empty.js': 'export const other = 1;',
      'single.js': 'export default { run() {} };',
      'wrong.js': 'export default { x: 1 };',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    const { code, stdout, stderr } = await run(args, { cwd });
    expect(stderr.trimEnd().split('\n'), stderr).toHaveLength(1);
    expect(stderr.trimEnd()).toMatch(says);
    expect(stderr).toMatch(/^error: /);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    // What is refused after the engine was opened has made its file, and stored nothing in it.
    expect(
      readdirSync(cwd)
        .filter((name) => name !== 'jobs.db')
        .sort(),
    ).toEqual(Object.keys(files).sort());
  });
});

test.each(Object.entries(all))(
  '%s: a file that is not there is said, and not made',
  async (command, rest) => {
    const cwd = temporaryFolder();
    const env = { UNSTUCK_ENGINE: 'sqlite:jobs.db' };
    const { code, stdout, stderr } = await run([command, ...rest], { cwd, env });
    expect(stderr).toMatch(/^error: jobs\.db: expected a file with jobs, got none\. .*\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(readdirSync(cwd)).toEqual([]);
  },
);

test.each(['show', 'cancel', 'timeout', 'retry'])(
  '%s: a job that is not there; with --json too',
  async (command) => {
    const cwd = temporaryFolder();
    const env = { UNSTUCK_ENGINE: 'sqlite:jobs.db' };
    expect((await run(['submit', registry, 'ways', '"return"'], { cwd, env })).code).toBe(0);
    const { code, stdout, stderr } = await run([command, 'nobody', '--json'], { cwd, env });
    expect(JSON.parse(stdout)).toEqual({
      error: 'job nobody: expected a job of this engine, found none. Check the id and the engine.',
    });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  },
);

test('the database of something else is left as it is; a file that is no database is said', async () => {
  const cwd = temporaryFolder();
  const database = new DatabaseSync(join(cwd, 'places.db'));
  database.exec('CREATE TABLE places (name TEXT)');
  database.close();
  writeFileSync(join(cwd, 'text.db'), 'not a database, however long this text is'.repeat(10));
  const before = readFileSync(join(cwd, 'places.db'));
  const foreign = await run(['list', '--engine', 'sqlite:places.db'], { cwd });
  expect(foreign).toMatchObject({ code: 2, stdout: '' });
  expect(foreign.stderr).toBe(
    'error: places.db: expected a file with jobs, got an SQLite database of something else.\n',
  );
  expect(readFileSync(join(cwd, 'places.db'))).toEqual(before);
  const text = await run(['list', '--engine', 'sqlite:text.db'], { cwd });
  expect(text).toMatchObject({ code: 2, stdout: '' });
  expect(text.stderr).toContain('is no SQLite database');
  const doctor = await run(['doctor', '--engine', 'sqlite:text.db', '--json'], { cwd });
  expect(doctor).toMatchObject({ code: 2, stderr: '' });
  expect(JSON.parse(doctor.stdout)).toContainEqual(
    expect.objectContaining({ subject: 'engine', verdict: 'wrong' }),
  );
});

test('an input comes from standard input, too', async () => {
  const cwd = temporaryFolder();
  const surroundings = { cwd, env: { UNSTUCK_ENGINE: 'sqlite:jobs.db' } };
  const stored = await run(['submit', registry, 'checked', '-'], {
    ...surroundings,
    input: '{"to":"Alice"}',
  });
  expect(stored).toMatchObject({ code: 0, stderr: '' });
  const refused = await run(['submit', registry, 'checked', '-'], { ...surroundings, input: '' });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/^error: standard input: expected JSON, got nothing/);
});

test.each([...Object.keys(all), 'work', 'submit', 'doctor'])(
  '%s --help names its examples',
  async (command) => {
    const { code, stdout, stderr } = await run([command, '--help'], { cwd: temporaryFolder() });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('--engine <where>');
    expect(stdout).toMatch(new RegExp(`\nExamples:\n( {2}.*\n)*.*unstuck ${command}`));
    expect(stdout).toMatch(/\nEnds with:\n {2}\d/);
  },
);

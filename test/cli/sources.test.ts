// Sources as they are typed: standard input, which leaves no file behind, columns of other names, how CSV is read, and addresses
// whose passwords are nowhere to be seen.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import { isPostgresThere, postgresUrl } from '../engines/postgresServer.ts';
import { root, run, start, temporaryFolder } from './commandLine.ts';

const good = 'id,amount\n1,10\n2,20\n';

/** A working folder, and one for temporary files, to see that it is empty. */
function folders(files: Record<string, string | Uint8Array> = {}) {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, 'temp'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return { cwd, env: { TMPDIR: join(cwd, 'temp') }, temporary: () => readdirSync(join(cwd, 'temp')) };
}

test('standard input is a side, is called so, and leaves no file behind', async () => {
  const { cwd, env, temporary } = folders({ 'right.csv': good });
  const { code, stdout, stderr } = await run(['reconcile', '-', 'right.csv', '-k', 'id'], {
    cwd,
    env,
    input: 'id,amount\n1,10\n2,21\n3\n',
  });
  expect(stdout).toContain('standard input');
  expect(stderr).toContain('reading standard input and right.csv');
  expect(stderr).toContain('error: standard input line 4: expected 2 columns, got 1.');
  expect(code).toBe(2);
  expect(temporary()).toEqual([]);
});

test.each([
  ['nothing', '', /^error: standard input: expected a header and rows, got an empty file\./],
  ['other columns', 'a\n1\n', /^error: standard input: expected the key column "id", got the columns "a"\./],
])('%s on standard input is told, and leaves no file behind', async (_, input, says) => {
  const { cwd, env, temporary } = folders({ 'left.csv': good });
  const { code, stderr } = await run(['reconcile', 'left.csv', '-', '-k', 'id', '-q'], { cwd, env, input });
  expect(stderr).toMatch(says);
  expect(code).toBe(2);
  expect(temporary()).toEqual([]);
});

test('it cannot be both sides', async () => {
  const { cwd, env } = folders();
  const { code, stderr } = await run(['reconcile', '-', '-', '-k', 'id'], { cwd, env, input: good });
  expect(stderr).toMatch(/^error: -: expected standard input for one side, got it for both\./);
  expect(code).toBe(2);
});

test('interrupted while standard input still comes, it leaves no file behind', async () => {
  const { cwd, env, temporary } = folders({ 'right.csv': good });
  const child = spawn(
    process.execPath,
    [join(root, 'bin/unstuck.js'), 'reconcile', '-', 'right.csv', '-k', 'id'],
    {
      cwd,
      env: { ...process.env, ...env },
    },
  );
  child.stdin.write(good);
  while (temporary().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  expect(code).toBe(130);
  expect(temporary()).toEqual([]);
});

test('the same on standard input again goes on where the first run stopped', async () => {
  const { left, right } = generateSample({ rows: 60_000, seed: 11 });
  const { cwd, env, temporary } = folders({ 'right.csv': right });
  const args = ['reconcile', '-', 'right.csv', '-k', 'id'];
  const first = start(args, { cwd, env, input: left });
  await first.said('1 of 16 chunks');
  first.process.kill('SIGINT');
  await first.ended;
  expect(temporary()).toEqual([]);
  const second = await run(args, { cwd, env, input: left });
  expect(second.stderr).toContain('Going on where an earlier run stopped');
});

test('columns of other names and how CSV is read are told by options', async () => {
  const { cwd, env } = folders({
    'left.csv': Buffer.from('id^name\n1^M\xfcller\n', 'latin1'),
    'right.csv': 'nr;Name, voll\n1;Müller\n',
  });
  const { stdout } = await run(
    [
      ...[
        'reconcile',
        'left.csv',
        'right.csv',
        '-k',
        'id',
        '--json',
        '--map',
        'id=nr',
        '--map',
        'name=Name, voll',
      ],
      ...['--csv', 'left.encoding=windows-1252', '--csv', 'left.delimiter=^', '--csv', 'delimiter=semicolon'],
    ],
    { cwd, env },
  );
  expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', matched: 1, columns: { name: 0 } });
});

test.each([
  [['--map', 'id'], /--map.*'id'.*LEFT=RIGHT/],
  [['--map', 'id=no'], /--map: expected a column of right\.csv \("id", "amount"\), got "no"/],
  [['--csv', 'header=maybe'], /--csv.*header=yes or header=no/],
  [['--csv', 'colour=red'], /--csv.*NAME=VALUE/],
  [['--csv', 'encoding=klingon'], /--csv encoding: expected an encoding/],
])('%s is refused', async (options, says) => {
  const { cwd, env } = folders({ 'left.csv': good, 'right.csv': good });
  const { code, stderr } = await run(['reconcile', 'left.csv', 'right.csv', '-k', 'id', ...options], {
    cwd,
    env,
  });
  expect(stderr).toMatch(says);
  expect(code).toBe(2);
});

test.skipIf(!(await isPostgresThere()))(
  'a password in an address is nowhere to be seen, on the live page neither',
  async () => {
    const { cwd, env } = folders({ 'right.csv': good });
    const url = new URL(postgresUrl);
    url.username ||= 'postgres';
    url.password = 's3cr3t';
    const query = 'SELECT id, amount FROM (VALUES (1, 10), (2, 20)) v(id, amount), pg_sleep(2)';
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const args = [
      'reconcile',
      `${url.href}?query=${query}`,
      'right.csv',
      '-k',
      'id',
      '--inspect',
      String(port),
    ];
    const running = start(args, { cwd, env });
    await running.said('Live page: ');
    const page = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    const { jobs } = JSON.parse(await page('/jobs'));
    const shown = await page(`/jobs/${jobs[0].id}`);
    expect(shown).toContain('UNSTUCK_LEFT_PASSWORD');
    expect(shown).not.toContain('s3cr3t');
    const { code, stdout, stderr } = await running.ended;
    expect(stdout).toContain('Everything matches.');
    expect(`${stdout}${stderr}`).not.toContain('s3cr3t');
    expect(code).toBe(0);
  },
);

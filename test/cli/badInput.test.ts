// Bad input: one line that says what was expected, what came and what to do; exit 2; no stack; nothing left behind.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run, temporaryFolder } from './commandLine.ts';

const good = ['reconcile', 'left.csv', 'right.csv', '--key', 'id'];

const cases: Record<string, { args?: string[]; right?: string | Uint8Array; says: RegExp }> = {
  'a missing file': {
    args: ['reconcile', 'left.csv', 'no.csv', '--key', 'id'],
    says: /no\.csv: expected a file/,
  },
  'a folder for a file': {
    args: ['reconcile', 'left.csv', '.', '--key', 'id'],
    says: /\.: expected .* got a directory/,
  },
  'a missing key column': {
    args: ['reconcile', 'left.csv', 'right.csv', '--key', 'nr'],
    says: /the key column "nr"/,
  },
  'a differing key column': { right: 'ID,a\n1,x\n', says: /right\.csv: expected the key column "id", got/ },
  'an empty file': { right: '', says: /right\.csv: expected .*, got/ },
  'a header without rows': { right: 'id,a\n', says: /right\.csv: expected .*, got/ },
  'a header name that stands twice': { right: 'id,a,a\n1,x,y\n', says: /right\.csv: expected .*"a"/ },
  'a file that is not UTF-8': {
    right: new Uint8Array([105, 100, 44, 97, 10, 49, 44, 0xe4, 10]),
    says: /UTF-8/,
  },
  'a file that is not UTF-8 far behind its beginning': {
    right: Buffer.concat([
      Buffer.from(`id,a\n${'1,a long enough text\n'.repeat(80_000)}2,`),
      Buffer.from([0xe4, 10]),
    ]),
    says: /right\.csv: expected UTF-8 text, got other bytes at line 80002/,
  },
  'a port that is none': { args: [...good, '--inspect', '99999'], says: /Expected a port, 0 to 65535/ },
  'no key': { args: ['reconcile', 'left.csv', 'right.csv'], says: /--key/ },
  'one file only': { args: ['reconcile', 'left.csv', '--key', 'id'], says: /right/ },
  'a third file': { args: [...good, 'x.csv'], says: /too many arguments/ },
  'an unknown option': {
    args: [...good, '--tolerence', 'a=1'],
    says: /unknown option '--tolerence'.*--tolerance/,
  },
  'an unknown command': { args: ['reconsile'], says: /unknown command 'reconsile'.*reconcile/ },
  'a timeout of 0': { args: [...good, '--job-timeout', '0'], says: /--job-timeout.*'0'.*above 0/ },
  'a timeout of -1': {
    args: [...good, '--heartbeat-timeout', '-1'],
    says: /--heartbeat-timeout.*'-1'.*above 0/,
  },
  'a timeout of abc': {
    args: [...good, '--progress-timeout', 'abc'],
    says: /--progress-timeout.*'abc'.*above 0/,
  },
  'a tolerance without a number': {
    args: [...good, '--tolerance', 'a'],
    says: /--tolerance.*'a'.*COLUMN=LIMIT/,
  },
  'a tolerance of no column': { args: [...good, '--tolerance', 'b=1'], says: /--tolerance: expected/ },
  'a type that is none': {
    args: [...good, '--type', 'a=money'],
    says: /--type.*'a=money'.*COLUMN=TYPE with one of text,/,
  },
  'another end of duplicates': {
    args: [...good, '--duplicates', 'drop'],
    says: /--duplicates.*report, pair/,
  },
  'no rules file': { args: [...good, '--rules', 'no.json'], says: /--rules.*'no\.json'.*can be read/ },
  'rules that are no JSON': { args: [...good, '--rules', 'left.csv'], says: /--rules.*'left\.csv'.*JSON/ },
  'an unknown column': { args: [...good, '--compare', 'b'], says: /--compare: expected .*got "b"/ },
  'an unusable amount of memory': {
    args: [...good, '--memory', 'much'],
    says: /--memory: expected an amount/,
  },
  'a folder that is a file': { args: [...good, '--out', 'left.csv'], says: /left\.csv: expected a folder/ },
};

describe('bad input', () => {
  test.each(Object.entries(cases))('%s', { timeout: 30_000 }, async (_, { args = good, right, says }) => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, 'sub'));
    writeFileSync(join(cwd, 'left.csv'), 'id,a\n1,x\n');
    writeFileSync(join(cwd, 'right.csv'), right ?? 'id,a\n1,x\n');
    const { code, stdout, stderr } = await run(args, { cwd });
    // What was already being read when the job found it is progress, not part of the error.
    const errors = stderr.split('\n').filter((line) => line !== '' && !/^(reading|\d+ of) /.test(line));
    expect(errors, stderr).toHaveLength(1);
    expect(errors[0]).toMatch(says);
    expect(errors[0]).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    expect(readdirSync(cwd).sort()).toEqual(['left.csv', 'right.csv', 'sub']);
  });

  test('a wrong field of a rules file is told by its path in there', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'left.csv'), 'id,a\n1,x\n');
    writeFileSync(join(cwd, 'rules.json'), '{ "key": ["id"], "passes": [{ "match": "exact" }] }');
    const { code, stderr } = await run(['reconcile', 'left.csv', 'left.csv', '--rules', 'rules.json'], {
      cwd,
    });
    expect(stderr).toContain(
      'rules.json: passes.0.columns: expected a list of at least one column name, got nothing.',
    );
    expect(code).toBe(2);
  });

  test('a variable of the environment is named', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'left.csv'), 'id,a\n1,x\n');
    const env = { RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS: '0' };
    const { code, stderr } = await run(['reconcile', 'left.csv', 'left.csv', '--key', 'id'], { cwd, env });
    expect(stderr).toMatch(/^error: RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS: expected .*\n$/);
    expect(code).toBe(2);
  });

  test.each([
    ['a file', ['reconcile', 'no.csv', 'no.csv', '--key', 'id', '--json']],
    ['an option', ['reconcile', 'no.csv', 'no.csv', '--key', 'id', '--json', '--fast']],
  ])('with --json, bad input in %s is one object too', async (_, args) => {
    const { code, stdout, stderr } = await run(args, { cwd: temporaryFolder() });
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'failed',
      left: null,
      attempts: 0,
      error: expect.any(String),
    });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });
});

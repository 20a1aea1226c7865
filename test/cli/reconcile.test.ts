// What `unstuck reconcile` prints, where, and what it ends with.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, run, sample, temporaryFolder } from './commandLine.ts';

const bank = join(sample, 'bank.csv');
const ledger = join(sample, 'ledger.csv');
const truth = JSON.parse(readFileSync(join(sample, 'truth.json'), 'utf8'));

function twoFiles(left: string, right: string): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'left.csv'), left);
  writeFileSync(join(cwd, 'right.csv'), right);
  return cwd;
}

describe('a run', () => {
  test('with differences ends with 1, and --json prints the planted truth as the only thing on stdout', async () => {
    const cwd = temporaryFolder();
    const { code, stdout } = await run(['reconcile', bank, ledger, '--key', 'id', '--json'], { cwd });
    const result = JSON.parse(stdout);
    const { left, right, matched, mismatched, onlyLeft, onlyRight, duplicateKeys, columns } = truth;
    expect(result).toEqual({
      ...{
        state: 'completed',
        left,
        right,
        matched,
        mismatched,
        onlyLeft,
        onlyRight,
        duplicateKeys,
        columns,
      },
      seconds: expect.any(Number),
      attempts: 1,
      report: join(cwd, 'reconciled'),
    });
    expect(Object.keys(result)[0]).toBe('state');
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
    expect(readdirSync(result.report).sort()).toEqual([
      'differences.csv',
      'duplicates.csv',
      'only-left.csv',
      'only-right.csv',
      'report.html',
      'summary.json',
    ]);
  });

  test('where everything matches ends with 0; --quiet leaves stderr empty and the table on stdout', async () => {
    const cwd = twoFiles('id,a\n1,x\n2,y\n', 'a,id\ny,2\nx,1\n');
    const { code, stdout, stderr } = await run(['reconcile', 'left.csv', 'right.csv', '-k', 'id', '-q'], {
      cwd,
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('Everything matches.');
    expect(stdout).toContain('./reconciled');
    expect(code).toBe(0);
  });

  test('prints no colour into a pipe, groups thousands, and says how it goes on stderr', async () => {
    const cwd = temporaryFolder();
    const { stdout, stderr } = await run(['reconcile', bank, ledger, '--key', 'id', '--out', 'a/b'], { cwd });
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
    expect(stdout).toMatch(/matched +3,673 +3,673/);
    expect(stdout).toMatch(/amount +88 +■+/);
    expect(stderr).toContain('reading bank.csv and ledger.csv');
    expect(stderr).toMatch(/\d+ of 16 chunks/);
    expect(existsSync(join(cwd, 'a/b/summary.json'))).toBe(true);
  });

  test('takes a tolerance exactly, lists and repeated options', async () => {
    const cwd = twoFiles(
      'id,r,amount,n\n1,a,100.00,1\n2,a,5,1\n',
      'id,r,amount,n\n1,a,99.99,2\n2,a,5.02,2\n',
    );
    const { stdout } = await run(
      [
        'reconcile',
        'left.csv',
        'right.csv',
        '--key',
        'id',
        '--key',
        'r',
        '--ignore',
        'n',
        '--tolerance',
        'amount=0.01',
        '--json',
      ],
      { cwd },
    );
    expect(JSON.parse(stdout)).toMatchObject({ matched: 1, mismatched: 1, columns: { amount: 1 } });
  });

  test('takes rules from a file, which options win over, and counts what each pass matched', async () => {
    const cwd = twoFiles('id,a,v\n1,7,1.50\n2,8,2.00\n2,8,2.00\n', 'id,a,v\n9,7,1.505\n2,8,2.00\n2,8,2.00\n');
    const rules = {
      ...{ key: ['a'], duplicates: 'pair' },
      passes: [{ match: 'near', name: 'close', same: ['a'], within: { v: '0.01' } }],
    };
    writeFileSync(join(cwd, 'rules.json'), JSON.stringify(rules));
    const args = ['reconcile', 'left.csv', 'right.csv', '--rules', 'rules.json', '--key', 'id'];
    const { code, stdout } = await run([...args, '--json'], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ matched: 2, mismatched: 0, onlyLeft: 0, onlyRight: 0, duplicateKeys: { left: 1, right: 1 } },
      passes: [{ pass: 'close', matches: 1, left: 1, right: 1, bounded: 0 }],
    });
    expect(code).toBe(0);
    const table = await run([...args, '--type', 'v=text', '--duplicates', 'report', '--fresh'], { cwd });
    expect(table.stdout).toMatch(/matched, close +1 +1 +1 by this pass/);
    expect(table.stdout).toMatch(/with a duplicate key +2 +2/);
    expect(table.code).toBe(1);
  });

  test('with rows that cannot be read compares the others, says so in a line, and ends with 2', async () => {
    const cwd = twoFiles('id,a\n1,x\n2,y,z\n', 'id,a\n1,x\n');
    const { code, stdout, stderr } = await run(
      ['reconcile', 'left.csv', 'right.csv', '--key', 'id', '--json', '-q'],
      { cwd },
    );
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'completed',
      matched: 1,
      error: expect.stringContaining(
        'left.csv line 3: expected 2 columns, got 3. 1 malformed row is left out',
      ),
    });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(readFileSync(join(cwd, 'reconciled/rejected.csv'), 'utf8')).toContain('left,3');
    expect(code).toBe(2);
  });

  test('of a part says so, in the table and in the object', async () => {
    const cwd = temporaryFolder();
    const args = ['reconcile', bank, ledger, '-k', 'id', '-q', '--format', 'jsonl'];
    const { code, stdout } = await run([...args, '--stop-after', '30', '--sample', '50%'], { cwd });
    expect(stdout).toContain('A sample: 50% of the keys.');
    expect(stdout).toMatch(
      /Partial: stopped after 30 differences, with \d+ of 16 chunks done; [\d,]+ and [\d,]+ rows were/,
    );
    expect(stdout).toContain('rows compared');
    expect(code).toBe(1);
    expect(existsSync(join(cwd, 'reconciled/differences.jsonl'))).toBe(true);
    const { stdout: json } = await run([...args, '--stop-after', '30', '--no-checkpoint', '--json'], { cwd });
    // In one piece there is one chunk, and it is done.
    expect(JSON.parse(json)).toMatchObject({ matched: truth.matched });
    expect(JSON.parse(json)).not.toHaveProperty('stoppedEarly');
  });

  test('whose reader has gone ends as it would have', async () => {
    const cwd = temporaryFolder();
    const script = `"${process.execPath}" "${join(root, 'bin/unstuck.js')}" reconcile "${bank}" "${ledger}" -k id -q | true; echo $PIPESTATUS`;
    expect(execFileSync('bash', ['-c', script], { cwd, encoding: 'utf8' }).trim()).toBe('1');
  });
});

test('help and version go to stdout and end with 0', async () => {
  const cwd = temporaryFolder();
  const help = await run(['reconcile', '--help'], { cwd });
  expect(help.stdout).toContain('Examples:');
  expect(help.stdout).toContain('Ends with:');
  expect(help.code).toBe(0);
  const version = await run(['--version'], { cwd });
  expect(version.stdout).toBe(`${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`);
});

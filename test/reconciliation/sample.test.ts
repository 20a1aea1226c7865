// The main promise: the summary says what was planted, no more and no less.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import { reconcile } from './driver.ts';
import { expected, testFolder } from './folder.ts';

const examples = join(import.meta.dirname, '../../examples/reconcile');
const shipped = (name: string) => readFileSync(join(examples, name), 'utf8');

test('the shipped sample holds exactly the differences that were planted', async () => {
  const folder = testFolder();
  const summary = await reconcile({
    left: join(examples, 'bank.csv'),
    right: join(examples, 'ledger.csv'),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary).toMatchObject(expected(JSON.parse(shipped('truth.json'))));
  expect(JSON.parse(folder.read('out/summary.json'))).toEqual(summary);
});

test('the shipped sample is what its generator makes', () => {
  const { seed, rows } = JSON.parse(shipped('truth.json'));
  const sample = generateSample({ seed, rows });
  expect(sample.left).toBe(shipped('bank.csv'));
  expect(sample.right).toBe(shipped('ledger.csv'));
  expect(sample.truth).toEqual(JSON.parse(shipped('truth.json')));
});

test('200 000 rows of another seed hold exactly the differences that were planted', async () => {
  const folder = testFolder();
  const sample = generateSample({ rows: 200_000, seed: 77 });
  const summary = await reconcile({
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary).toMatchObject(expected({ ...sample.truth }));
});

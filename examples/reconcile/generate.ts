// Makes the sample: a bank statement and the ledger that should say the same, with differences of every kind
// planted in them, and the truth of what was planted. The truth is counted while planting, never by reconciling.
//
//     node examples/reconcile/generate.ts [--rows N] [--seed S] [--out DIR]

import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

export interface SampleTruth {
  rows: number;
  seed: number;
  left: number;
  right: number;
  matched: number;
  mismatched: number;
  onlyLeft: number;
  onlyRight: number;
  duplicateKeys: { left: number; right: number };
  duplicateRows: { left: number; right: number };
  rejected: { left: number; right: number };
  columns: Record<string, number>;
}

/** A line of either file: reference, booking date, amount, currency, counterparty, description. */
interface Entry {
  id: string;
  booked: string;
  /** Cents, so that no amount was ever a float. */
  cents: number;
  currency: string;
  counterparty: string;
  /** Null is an empty field, '' a quoted empty text: the reconciliation keeps them apart. */
  description: string | null;
}

const columns = ['booking_date', 'amount', 'currency', 'counterparty', 'description'] as const;
type Column = (typeof columns)[number];

// The first 92 of 100 entries are as they should be; the rest take turns with these, so that even a small sample
// holds one of each.
const plants = [
  'amountOffByACent',
  'amountOffByACent',
  'amountOffByMuch',
  'dateShifted',
  'descriptionDiffers',
  'counterpartyDiffers',
  'severalDiffer',
  'nullAgainstEmpty',
  'onlyBank',
  'onlyBank',
  'onlyLedger',
  'twiceInBank',
  'twiceInLedger',
  'twiceInLedger',
  'twiceInBoth',
] as const;

/** The files as texts, `left` the bank statement and `right` the ledger. The key is `id`; amounts compare as text. */
export function generateSample({ rows, seed }: { rows: number; seed: number }): {
  left: string;
  right: string;
  truth: SampleTruth;
} {
  const random = mulberry32(seed);
  const bank: string[] = [];
  const ledger: string[] = [];
  const truth: SampleTruth = {
    ...{ rows, seed, left: 0, right: 0, matched: 0, mismatched: 0, onlyLeft: 0, onlyRight: 0 },
    duplicateKeys: { left: 0, right: 0 },
    duplicateRows: { left: 0, right: 0 },
    rejected: { left: 0, right: 0 },
    columns: { booking_date: 0, amount: 0, currency: 0, counterparty: 0, description: 0 },
  };
  const toBank = (entry: Entry) => bank.push(bankLine(entry));
  const toLedger = (entry: Entry) => ledger.push(ledgerLine(entry));
  const differ = (entry: Entry, changed: Partial<Entry>, ...names: Column[]) => {
    toBank(entry);
    toLedger({ ...entry, ...changed });
    truth.mismatched += 1;
    for (const name of names) truth.columns[name]! += 1;
  };
  const twice = (entry: Entry, inBank: number, inLedger: number) => {
    for (let n = 0; n < inBank; n += 1) toBank({ ...entry, cents: entry.cents + n });
    for (let n = 0; n < inLedger; n += 1) toLedger({ ...entry, cents: entry.cents + n });
    truth.duplicateKeys.left += inBank > 1 ? 1 : 0;
    truth.duplicateKeys.right += inLedger > 1 ? 1 : 0;
    truth.duplicateRows.left += inBank;
    truth.duplicateRows.right += inLedger;
  };

  let planted = 0;
  for (let row = 0; row < rows; row += 1) {
    const entry = makeEntry(random, row, rows);
    if (random() < 0.92) {
      toBank(entry);
      toLedger(entry);
      truth.matched += 1;
      continue;
    }
    const plant = plants[planted % plants.length]!;
    planted += 1;
    switch (plant) {
      case 'amountOffByACent':
        differ(entry, { cents: entry.cents + (random() < 0.5 ? 1 : -1) }, 'amount');
        break;
      case 'amountOffByMuch':
        differ(entry, { cents: entry.cents + 10_000 + between(random, 1, 500_000) }, 'amount');
        break;
      case 'dateShifted':
        differ(entry, { booked: dateOf(dayOf(row, rows) + between(random, 1, 3)) }, 'booking_date');
        break;
      case 'descriptionDiffers':
        differ(entry, { description: `${entry.description ?? ''} (corrected)` }, 'description');
        break;
      case 'counterpartyDiffers':
        differ(entry, { counterparty: `${entry.counterparty} (old name)` }, 'counterparty');
        break;
      case 'severalDiffer':
        differ(
          entry,
          {
            currency: entry.currency === 'CHF' ? 'NOK' : 'CHF',
            cents: entry.cents * 2 + 1,
            description: 'Reversal, see "note"',
          },
          ...(['currency', 'amount', 'description'] as const),
        );
        break;
      case 'nullAgainstEmpty':
        differ({ ...entry, description: null }, { description: '' }, 'description');
        break;
      case 'onlyBank':
        toBank(entry);
        truth.onlyLeft += 1;
        break;
      case 'onlyLedger':
        toLedger(entry);
        truth.onlyRight += 1;
        break;
      case 'twiceInBank':
        twice(entry, 2, planted % 2);
        break;
      case 'twiceInLedger':
        twice(entry, planted % 2, 3);
        break;
      case 'twiceInBoth':
        twice(entry, 2, 2);
        break;
    }
  }
  truth.left = bank.length;
  truth.right = ledger.length;
  shuffleNearby(random, ledger);
  return {
    left: `id,booking_date,amount,currency,counterparty,description\n${bank.join('\n')}\n`,
    // The ledger has its columns in another order, and one of its own.
    right: `entry,id,booking_date,description,counterparty,currency,amount\n${ledger.map((line, n) => `${n + 1},${line}`).join('\n')}\n`,
    truth,
  };
}

const companies = [
  'Müller & Söhne GmbH',
  'Café Zoë',
  'Smith, Jones & Partners',
  'Ærø Rederi ApS',
  'Björk "Nord" AB',
  '東京商事株式会社',
  'Łódzka Spółka',
  "O'Brien Ltd",
  'Compañía del Sur, S.A.',
  'Novák a syn',
  'Green Energy plc',
  'Αθηναϊκή Α.Ε.',
];
const purposes = [
  'Invoice',
  'Rent',
  'Salary',
  'Refund',
  'Card payment',
  'Subscription',
  'Standing order',
  'Interest',
];
const currencies = ['EUR', 'EUR', 'EUR', 'USD', 'GBP', 'CHF'];

function makeEntry(random: () => number, row: number, rows: number): Entry {
  const purpose = pick(random, purposes);
  const number = between(random, 10_000, 99_999);
  const kind = random();
  let description: string | null = `${purpose} ${number}`;
  if (kind < 0.04) description = `${purpose}: "${number}", second part`;
  else if (kind < 0.07) description = `${purpose}\nref. ${number}`;
  else if (kind < 0.1) description = `${purpose} – n° ${number} ✓`;
  else if (kind < 0.13) description = null;
  else if (kind < 0.15) description = '';
  return {
    id: `TX-${String(row + 1).padStart(7, '0')}`,
    booked: dateOf(dayOf(row, rows)),
    cents: (random() < 0.6 ? -1 : 1) * between(random, 100, random() < 0.05 ? 5_000_000 : 50_000),
    currency: pick(random, currencies),
    counterparty: pick(random, companies),
    description,
  };
}

/** Bookings run through one year. */
function dayOf(row: number, rows: number): number {
  return Math.floor((row * 365) / rows);
}

function dateOf(day: number): string {
  return new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10);
}

function bankLine({ id, booked, cents, currency, counterparty, description }: Entry): string {
  return `${id},${booked},${amount(cents)},${currency},${field(counterparty)},${field(description)}`;
}

function ledgerLine({ id, booked, cents, currency, counterparty, description }: Entry): string {
  return `${id},${booked},${field(description)},${field(counterparty)},${currency},${amount(cents)}`;
}

function amount(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, '0');
  return `${cents < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function field(text: string | null): string {
  if (text === null) return '';
  return text === '' || /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Ledgers are not in the bank's order: each line changes place with one nearby. */
function shuffleNearby(random: () => number, lines: string[]): void {
  for (let at = 0; at < lines.length; at += 1) {
    const other = Math.min(lines.length - 1, at + between(random, 0, 40));
    [lines[at], lines[other]] = [lines[other]!, lines[at]!];
  }
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

function between(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** A small generator with a seed: the same numbers on every machine and version. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '4000' },
      seed: { type: 'string', default: '2025' },
      out: { type: 'string', default: import.meta.dirname },
    },
  });
  const sample = generateSample({ rows: Number(values.rows), seed: Number(values.seed) });
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, 'bank.csv'), sample.left);
  writeFileSync(join(values.out, 'ledger.csv'), sample.right);
  writeFileSync(join(values.out, 'truth.json'), `${JSON.stringify(sample.truth, null, 2)}\n`);
  console.log(`${sample.truth.left} bank rows, ${sample.truth.right} ledger rows in ${values.out}`);
}

// The check of what a user says about his CSV files, for both sides or for one.

import type { CsvOptions } from './csvHeader.ts';

type Refuse = (path: PropertyKey[], expected: string, got: unknown) => void;

/** What is said for one side counts before what is said for both. */
export function checkCsvOptions(given: unknown, refuse: Refuse): { left: CsvOptions; right: CsvOptions } {
  if (given === undefined) return { left: {}, right: {} };
  const both = optionsIn(given, ['csv'], ['left', 'right'], refuse);
  const { left, right } = Object(given);
  const of = (side: unknown, name: string) =>
    side === undefined ? {} : optionsIn(side, ['csv', name], [], refuse);
  return { left: { ...both, ...of(left, 'left') }, right: { ...both, ...of(right, 'right') } };
}

function optionsIn(given: unknown, path: PropertyKey[], more: readonly string[], refuse: Refuse): CsvOptions {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    refuse(path, 'an object of delimiter, quote, header and encoding', given);
    return {};
  }
  const options: CsvOptions = {};
  for (const [name, value] of Object.entries(given)) {
    if (more.includes(name) || value === undefined) continue;
    if (name === 'delimiter' && isCharacter(value)) options.delimiter = value;
    else if (name === 'quote' && (value === '' || isCharacter(value))) options.quote = value;
    else if (name === 'header' && typeof value === 'boolean') options.header = value;
    else if (name === 'encoding' && isEncoding(value)) options.encoding = value;
    else refuse([...path, name], expected[name] ?? 'delimiter, quote, header or encoding', value);
  }
  return options;
}

const expected: Record<string, string> = {
  delimiter: 'one character, such as ;',
  quote: "one character, or '' for none",
  header: 'true or false',
  encoding: 'an encoding that TextDecoder knows, such as windows-1252',
};

/** DuckDB takes one byte. */
function isCharacter(value: unknown): value is string {
  return typeof value === 'string' && /^[\t\x20-\x7e]$/.test(value);
}

function isEncoding(value: unknown): value is string {
  try {
    return typeof value === 'string' && new TextDecoder(value).encoding !== '';
  } catch {
    return false;
  }
}

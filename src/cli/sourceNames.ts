// What a side is called on the screen, and its way there: standard input has no path, and an address may hold a password.

import { basename } from 'node:path';
import { type ReconciliationInput, shownSource } from '../reconciliation/index.ts';
import { printable } from './printable.ts';

const sides = ['left', 'right'] as const;

export const standardInput = 'standard input';

/** Short: the name of a file or a table. */
export function nameOf(source: string): string {
  if (source === '-') return standardInput;
  const [, kind, place = '', word, table = ''] = /^(\w+):(.*?)[?&](table|query)=(.*)$/s.exec(source) ?? [];
  if (kind === undefined) return printable(basename(source));
  return printable(word === 'table' ? table : `a query of ${basename(shownSource(`${kind}:${place}`))}`);
}

/** As it was typed, without a password. */
export function longNameOf(source: string): string {
  return source === '-' ? standardInput : shownSource(source);
}

/**
 * The input with the passwords of its addresses in variables of this process, which that of the job inherits: what is stored
 * of a job, or shown of it on its page, does not hold them.
 */
export function withoutPasswords(input: ReconciliationInput): ReconciliationInput {
  const changed = { ...input };
  for (const side of sides) {
    const name = `UNSTUCK_${side.toUpperCase()}_PASSWORD`;
    const aside = (password: string) => {
      process.env[name] = decode(password);
      return `\${${name}}`;
    };
    changed[side] = input[side].replace(
      /^(postgres(?:ql)?:\/\/[^:/?#@]*:)([^/?#]*)@/i,
      (whole, before: string, password: string) => {
        if (password === '' || password.includes('${')) return whole;
        return `${before}${aside(password)}@`;
      },
    );
    changed[side] = changed[side].replace(
      /^(postgres(?:ql)?:.*?[?&]password=)([^&]*)(?=&(?:.*&)?(?:table|query)=)/is,
      (whole, before: string, password: string) =>
        password.includes('${') ? whole : `${before}${aside(password)}`,
    );
  }
  return changed;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// A part of a document that is made from code, between `<!-- name -->` and `<!-- /name -->`.

import { readFileSync, writeFileSync } from 'node:fs';

/** The document with that part as it should be. */
export function withMarked(text: string, name: string, part: string): string {
  const marked = new RegExp(`(?<=<!-- ${name} -->\\n)[\\s\\S]*?(?=\\n<!-- /${name} -->)`);
  return text.replace(marked, () => part);
}

export function writeMarked(document: URL, name: string, part: string): void {
  writeFileSync(document, withMarked(readFileSync(document, 'utf8'), name, part));
}

// The members of a JSON object as they are written: a number keeps its digits, which JSON.parse would round past 2^53 and
// past 17 digits. Every text that comes here was accepted by JSON.parse, so that only its parts have to be told apart.

/** A member's name, and the text of its value. */
export type Member = readonly [name: string, value: string];

const space = /[ \t\r\n]*/y;
const scalar = /[^\s,\]}]+/y;

/** `text` is that of a JSON object. */
export function membersOf(text: string): Member[] {
  return partsOf(text, true).map(({ name, value }) => [name, value]);
}

/** The text of a string's value, of a number as it is written, of a boolean; canonical JSON of what is nested. Null for null. */
export function textOf(value: string): string | null {
  if (value === 'null') return null;
  if (value.startsWith('"')) return JSON.parse(value) as string;
  return value.startsWith('{') || value.startsWith('[') ? canonical(value) : value;
}

/** Names sorted, no spaces, strings escaped as little as JSON allows, numbers as they are written. */
function canonical(value: string): string {
  if (value.startsWith('"')) return JSON.stringify(JSON.parse(value));
  if (value.startsWith('['))
    return `[${partsOf(value, false)
      .map((part) => canonical(part.value))
      .join(',')}]`;
  if (!value.startsWith('{')) return value;
  const members = partsOf(value, true).sort((one, other) => (one.name < other.name ? -1 : 1));
  return `{${members.map(({ name, value }) => `${JSON.stringify(name)}:${canonical(value)}`).join(',')}}`;
}

function partsOf(text: string, named: boolean): { name: string; value: string }[] {
  const parts: { name: string; value: string }[] = [];
  let at = skip(space, text, skip(space, text, 0) + 1);
  while (text[at] !== '}' && text[at] !== ']') {
    let name = '';
    if (named) {
      const end = endOfString(text, at);
      name = JSON.parse(text.slice(at, end)) as string;
      at = skip(space, text, skip(space, text, end) + 1);
    }
    const end = endOfValue(text, at);
    parts.push({ name, value: text.slice(at, end) });
    at = skip(space, text, end);
    if (text[at] === ',') at = skip(space, text, at + 1);
  }
  return parts;
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') return skip(scalar, text, start);
  let depth = 0;
  let at = start;
  for (;;) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
}

/** By hand: a pattern would keep a way back for each character. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
}

/** Behind the match at `at`; the patterns are sticky. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.test(text);
  return pattern.lastIndex;
}

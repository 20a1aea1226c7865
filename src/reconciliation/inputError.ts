// The error of everything a person can put right: a file, a column, an option, a folder in use. Always one line:
// what it is about, what was expected, what came, what to do.

/** The input cannot be used: `field` names what, `expected` and `got` say why. */
export class ReconciliationInputError extends Error {
  override readonly name = 'ReconciliationInputError';
  readonly code = 'ERR_RECONCILIATION_INPUT';
  /** The field of the input, or the path of the file. */
  readonly subject: string;
  readonly expected: string;
  readonly got: string;

  constructor(subject: string, expected: string, got: string, advice: string) {
    super(`${subject}: expected ${expected}, got ${got}. ${advice}`);
    this.subject = subject;
    this.expected = expected;
    this.got = got;
  }
}

/** Names as messages show them: `"id", "amount"`, the first twenty of many. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name));
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

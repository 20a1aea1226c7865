// What transactions of all processes lock beside rows: names with limits while their jobs are claimed, keys while those
// behind them move up. PostgreSQL knows such a lock by two numbers, and lets go of it at the end of the transaction.

/** The first number of each kind of lock, by schema: two installations in a database do not wait for each other. */
export function lockClasses(schema: string): { name: number; key: number; pauses: number } {
  return {
    name: numberOf(`${schema} name`),
    key: numberOf(`${schema} key`),
    pauses: numberOf(`${schema} pauses`),
  };
}

/** 32 bits of a text, signed, the same in every process (FNV-1a). Two texts with one number only wait for each other. */
export function numberOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}

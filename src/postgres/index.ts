/**
 * For jobs on PostgreSQL: a chunk's own SQL in the transaction that stores its checkpoint. The guide is docs/postgres.md.
 *
 * @module unstuck/postgres
 */

// First the check that this Node can run it.
import '../runtime/checkNode.ts';

export { type ChunkWork, inTransaction, type TransactionOptions } from './inTransaction.ts';
export type { Sql, SqlResult, SqlStatement } from './sql.ts';

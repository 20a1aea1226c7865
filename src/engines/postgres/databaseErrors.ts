// What PostgreSQL, or the way to it, says when it cannot do its work, in words that say what to do. The codes are its SQLSTATEs
// and those of the network. A password never gets into them: the server is named by host, port and database.

import { EngineError } from '../engine.ts';

const said: Record<string, string> = {
  ECONNREFUSED: 'nothing answers there. Is PostgreSQL running, and is this its address?',
  ENOTFOUND: 'there is no such host. Check the address.',
  EAI_AGAIN: 'the name of the host cannot be looked up. Check the network.',
  ETIMEDOUT: 'it does not answer. Check the network, and whether a firewall is between.',
  '28P01': 'it refuses the password. Check user and password.',
  '28000': 'it refuses this user. Check user and pg_hba.conf.',
  '3D000': 'it has no such database. Check the name, or create it.',
  '42501':
    'this role may not do that. Give it its rights (unstuck migrate --grants ROLE), or set the schema up with another (unstuck migrate).',
  '53100': 'its disk is full. Nothing of the last writes was stored. Free some space.',
  '53200': 'it is out of memory.',
  '53300': 'it has no connection left. Raise max_connections, or lower those of others.',
  '57P01': 'it is being shut down.',
  '57P02': 'it is starting anew after a crash.',
  '57P03': 'it is starting, or shutting down.',
  '57014': 'a statement took too long and was ended.',
  '25P03': 'a transaction was idle for too long and was ended.',
  '25006': 'it takes no writes: it is a standby, or read-only.',
};

/** SQLSTATE, or the network's; '' where there is none. */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '');
}

/** Two transactions were in each other's way: the same again succeeds. */
export function isToBeRepeated(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error));
}

/** What one call says cannot be carried out, and not the server or the way to it: another call would do. */
export function isOfCall(error: unknown): boolean {
  // Data, constraints, and limits of what a statement may hold.
  return /^(22|23|54)/.test(codeOf(error)) || error instanceof RangeError || error instanceof TypeError;
}

export function engineErrorOf(place: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const words = said[codeOf(first)] ?? (first as Error).message;
  return new EngineError(`${place}: ${words}`, { cause: error });
}

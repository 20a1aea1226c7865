// What the progress of a reconciliation's job means: its items are the steps of the staging, then as many chunks.

/** How far it is. `chunks` in all, of which `done`; before the first, `read` of what is to be read, 0 to 1. */
export interface ReconciliationProgress {
  read: number;
  done: number;
  chunks: number;
}

/** `progress`: of the job's status. Null before it is known how much there is. */
export function reconciliationProgress({
  items,
  total,
}: {
  items: number;
  total: number | null;
}): ReconciliationProgress | null {
  if (total === null) return null;
  const chunks = total / 2;
  return { read: Math.min(1, items / chunks), done: Math.max(0, items - chunks), chunks };
}

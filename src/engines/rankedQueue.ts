// Jobs in the order in which they start, in memory: the lowest rank first. Those of one lane (of one priority) come at its end
// and go at its beginning, so each lane is a set in order, and the lanes are merged as they are read.

export interface Ranked {
  /** Within a lane, a later rank is a higher one, but for what comes back to its old place. */
  readonly lane: number;
  readonly rank: number;
}

interface Lane<Row> {
  readonly lane: number;
  rows: Set<Row>;
  last: number;
  isSorted: boolean;
}

export class RankedQueue<Row extends Ranked> {
  readonly #lanes = new Map<number, Lane<Row>>();

  add(row: Row): void {
    const lane = this.#lanes.get(row.lane) ?? {
      lane: row.lane,
      rows: new Set(),
      last: -Infinity,
      isSorted: true,
    };
    this.#lanes.set(row.lane, lane);
    lane.rows.add(row);
    if (row.rank < lane.last) lane.isSorted = false;
    lane.last = Math.max(lane.last, row.rank);
  }

  delete(row: Row): boolean {
    const lane = this.#lanes.get(row.lane);
    if (lane === undefined || !lane.rows.delete(row)) return false;
    if (lane.rows.size === 0) this.#lanes.delete(row.lane);
    return true;
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /** In no order. */
  *rows(): Generator<Row, undefined> {
    for (const lane of this.#lanes.values()) yield* lane.rows;
  }

  first(): Row | undefined {
    for (const row of this.inOrder()) return row;
    return undefined;
  }

  /** The row that was just read may be deleted while this goes on. */
  *inOrder(): Generator<Row, undefined> {
    const heads = [...this.#lanes.values()].map((lane) => {
      sort(lane);
      const rows = lane.rows.values();
      return { lane: lane.lane, rows, row: rows.next().value };
    });
    for (;;) {
      let least: (typeof heads)[number] | undefined;
      for (const head of heads)
        if (head.row !== undefined && (least?.row === undefined || isBefore(head.row, least.row)))
          least = head;
      if (least?.row === undefined) return;
      yield least.row;
      least.row = least.rows.next().value;
    }
  }
}

/** At an equal rank the older one, which is of the lower priority, is first. */
export function isBefore(a: Ranked, b: Ranked): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.lane < b.lane);
}

function sort<Row extends Ranked>(lane: Lane<Row>): void {
  if (lane.isSorted) return;
  lane.rows = new Set([...lane.rows].sort((a, b) => a.rank - b.rank));
  lane.isSorted = true;
}

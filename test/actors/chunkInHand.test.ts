// What a chunk's own transaction is given to store, through the fold: the write that the host makes too, made once.

import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type ChunkInHand, inHand } from '../../src/actors/chunkInHand.ts';
import { type AttemptStart, foldChunks } from '../../src/actors/foldChunks.ts';
import type { ChunkContext, ChunkedJobCode } from '../../src/actors/jobCode.ts';
import type { CheckpointWrite } from '../../src/engines/engine.ts';

const start: AttemptStart = {
  jobId: 'job',
  name: 'sum',
  attempt: 2,
  token: 'token',
  input: '[[1,2],[3]]',
  checkpoint: '10',
  chunksDone: 4,
  chunkSize: 2,
  trace: null,
};

type Context = ChunkContext<number[][], number>;
const handOf = (context: Context) => (context as unknown as { [inHand]: ChunkInHand })[inHand];

const sum: ChunkedJobCode<number[][], number, number, number> = {
  start: 0,
  chunks: (input) => input,
  process: (chunk, { checkpoint }) => chunk.reduce((total, item) => total + item, checkpoint),
};

/** Answers with what the host was told. */
async function told(code: Partial<typeof sum>) {
  const saved: unknown[] = [];
  const result = await foldChunks({ ...sum, ...code }, start, {
    signal: new AbortController().signal,
    log: pino({ enabled: false }),
    heartbeat() {},
    total() {},
    saveCheckpoint: async (checkpoint, rows, items) => void saved.push({ checkpoint, rows, items }),
  });
  return { saved, result };
}

test('a transaction stores what the host is told a moment later, under the number that the host gives it', async () => {
  const stored: CheckpointWrite[] = [];
  const numbers: number[] = [];
  const { saved, result } = await told({
    total: () => 3,
    process(chunk, context) {
      const made = context.checkpoint + chunk.length;
      for (const item of chunk) context.append({ item });
      numbers.push(handOf(context).number);
      stored.push(handOf(context).write(made));
      return made;
    },
  });
  const whole = { id: 'job', token: 'token', total: 3 };
  expect(stored).toEqual([
    { ...whole, chunk: 5, checkpoint: '12', rows: ['{"item":1}', '{"item":2}'], items: 2 },
    { ...whole, chunk: 6, checkpoint: '13', rows: ['{"item":3}'], items: 1 },
  ]);
  expect(numbers).toEqual([5, 6]);
  expect(saved).toEqual(stored.map(({ checkpoint, rows, items }) => ({ checkpoint, rows, items })));
  expect(result).toBe('13');
});

test('without a total it stores none', async () => {
  const totals: unknown[] = [];
  await told({
    process(_, context) {
      totals.push(handOf(context).write(1).total);
      return 1;
    },
  });
  expect(totals).toEqual([null, null]);
});

test('run anew, a chunk stores the rows of its last run, and those that were appended before it', async () => {
  const { saved } = await told({
    *chunks(input, { append }) {
      append({ before: true });
      yield input[1] as number[];
    },
    process(_, context) {
      context.append({ run: 1 });
      // Its commit did not come about.
      handOf(context).write(1);
      handOf(context).restart();
      context.append({ run: 2 });
      handOf(context).restart();
      context.append({ run: 3 });
      handOf(context).write(2);
      return 2;
    },
  });
  expect(saved).toEqual([{ checkpoint: '2', rows: ['{"before":true}', '{"run":3}'], items: 1 }]);
});

test('a write that was taken back is not what the host is told', async () => {
  const { saved } = await told({
    chunks: (input) => [input[1] as number[]],
    process(_, context) {
      handOf(context).write(1);
      handOf(context).restart();
      return 2;
    },
  });
  expect(saved).toEqual([{ checkpoint: '2', rows: [], items: 1 }]);
});

test.each([
  ['another checkpoint than was stored', 2, 'return what its transaction has stored, got another one.'],
  ['none after one was stored', undefined, 'return what its transaction has stored, got another one.'],
  ['what is no JSON after one was stored', Number.NaN, 'checkpoint: expected JSON, got NaN.'],
])('the author is told of %s', async (_, returned, message) => {
  const process: typeof sum.process = (_, context) => {
    handOf(context).write(1);
    return returned as number;
  };
  await expect(told({ process })).rejects.toThrow(message);
});

test('a stored null is not taken for nothing, nor nothing for a stored null', async () => {
  const process = (returned: unknown) =>
    ((_: unknown, context: Context) => {
      handOf(context).write(null);
      return returned;
    }) as typeof sum.process;
  expect((await told({ process: process(null) })).saved).toHaveLength(2);
  await expect(told({ process: process(undefined) })).rejects.toThrow('got another one');
});

test('the author is told of rows that come after the chunk was stored', async () => {
  const process: typeof sum.process = (_, context) => {
    handOf(context).write(1);
    context.append({ late: true });
    return 1;
  };
  await expect(told({ process })).rejects.toThrow(
    'append: expected rows before the transaction was stored, got some after.',
  );
});

test('nothing is stored where process made nothing', async () => {
  const process: typeof sum.process = (_, context) => {
    handOf(context).write(undefined);
    return 1;
  };
  await expect(told({ process })).rejects.toThrow(
    'checkpoint: expected process() to return the next one, got nothing.',
  );
});

test('another copy of this package finds it by the same symbol', () => {
  expect(inHand).toBe(Symbol.for('unstuck.chunkInHand'));
});

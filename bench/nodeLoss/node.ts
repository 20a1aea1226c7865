// One node of a job system in a process of its own: node node.ts MODULE SPACE VARIANT. It says which jobs begin and end in it, and
// stores those that it is told to.

export interface NodeSystem {
  /** Stores one job for each number. */
  add(numbers: number[]): Promise<unknown>;
  /** Begins to run them, each by `run`. */
  work(concurrency: number, run: (n: number) => Promise<void>): Promise<unknown>;
}

export type NodeWord = { ready: true } | { began: number } | { ended: number } | { done: string };
export type NodeOrder = { add: number[] } | { work: number; ms: number };

const [module = '', space = '', variant = ''] = process.argv.slice(2);
const say = (word: NodeWord) => process.send?.(word);
const system: NodeSystem = await (await import(module)).open(space, variant);

async function obey(order: NodeOrder): Promise<void> {
  if ('add' in order) await system.add(order.add);
  else
    await system.work(order.work, async (n) => {
      say({ began: n });
      await new Promise((resolve) => setTimeout(resolve, order.ms));
      say({ ended: n });
    });
  say({ done: Object.keys(order)[0] as string });
}

process.on('message', (order: NodeOrder) => {
  obey(order).catch((error) => {
    console.error(error);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit());
say({ ready: true });

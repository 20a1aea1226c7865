// What two large files cost to reconcile: ours in chunks that are each kept, ours in one piece, DuckDB by hand, the parsing
// alone, JavaScript alone, sqlite3 and Miller where they are installed. All in one run, on the same files, each in a
// process of its own; all find the same, or the benchmark fails.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atMost, type Bar, type Benchmark, median } from './benchmark.ts';
import { type Counts, makeFiles } from './reconcile/files.ts';
import { type Measured, measure } from './reconcile/measure.ts';
import { programs } from './reconcile/programs.ts';

const memory = '512MB';
const memoryBytes = 512e6;
/** As much as DuckDB takes for its limit where it is told none. */
const fullMemory = `${Math.floor((totalmem() * 0.8) / 1e9)}GB`;

interface Side {
  name: string;
  /** How often; those that take minutes, once. */
  rounds: number;
  run(out: string): Promise<{ seconds: number; peakBytes: number }>;
}

interface Result {
  side: string;
  seconds: number;
  peakBytes: number;
}

export const reconcile: Benchmark = {
  about:
    'two large files: ours in chunks and in one piece beside DuckDB by hand, JavaScript, sqlite3, Miller',
  async run({ quick, progress }) {
    // The quick one says no more than that nothing is badly wrong: starting a process is much of it.
    const sizes = quick ? [200_000] : [1_000_000, 10_000_000];
    const rows: Record<string, string | number>[] = [];
    const bars: Bar[] = [];
    for (const size of sizes) {
      const results = await compareAt(size, quick ? 1 : 3, progress);
      const of = (side: string) => results.find((result) => result.side === side)!;
      const bare = of(sideNames.bare);
      for (const { side, seconds, peakBytes } of results) {
        rows.push({
          rows: `${size / 1e6} M + ${size / 1e6} M`,
          side,
          seconds: round(seconds, 2),
          rowsASecond: Math.round((2 * size) / seconds),
          peakMB: Math.round(peakBytes / 1e6),
          timesBare: round(seconds / bare.seconds, 2),
        });
      }
      const [chunks, onePiece] = [of(sideNames.chunks), of(sideNames.onePiece)];
      const at = `${size / 1e6} M + ${size / 1e6} M`;
      const limits = quick ? [12, 6] : size < 10_000_000 ? [2, 2] : [1.6, 1.1];
      bars.push(
        atMost(
          `${at}: in chunks at ${memory} / DuckDB by hand`,
          round(chunks.seconds / bare.seconds, 2),
          limits[0]!,
        ),
        atMost(`${at}: in one piece / DuckDB by hand`, round(onePiece.seconds / bare.seconds, 2), limits[1]!),
        atMost(
          `${at}: peak memory in chunks at ${memory}, MB`,
          Math.round(chunks.peakBytes / 1e6),
          memoryBytes / 1e6,
        ),
      );
    }
    return { rows, bars };
  },
};

const sideNames = {
  chunks: `ours, in chunks, ${memory}`,
  onePiece: 'ours, in one piece, full memory',
  bare: 'DuckDB by hand, full memory',
};

async function compareAt(size: number, rounds: number, progress: (line: string) => void): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-bench-reconcile-'));
  try {
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < size * 600)
      throw new Error(`${folder}: expected ${(size * 600) / 1e9} GB free, got less`);
    const [left, right] = [join(folder, 'left.csv'), join(folder, 'right.csv')];
    progress(`making 2 x ${size} rows`);
    const truth = await makeFiles(size, left, right);
    const sides = sidesOf(left, right, truth, size, rounds);
    const measured = new Map(sides.map(({ name }) => [name, [] as { seconds: number; peakBytes: number }[]]));
    for (let round = 0; round < rounds; round += 1) {
      for (const side of sides) {
        if (round >= side.rounds) continue;
        progress(`${size} rows, round ${round + 1} of ${rounds}: ${side.name}`);
        const out = join(folder, 'out');
        mkdirSync(out);
        measured.get(side.name)!.push(await side.run(out));
        rmSync(out, { recursive: true });
      }
    }
    return [...measured].map(([side, all]) => ({
      side,
      seconds: median(all.map(({ seconds }) => seconds)),
      peakBytes: Math.max(...all.map(({ peakBytes }) => peakBytes)),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sidesOf(left: string, right: string, truth: Counts, size: number, rounds: number): Side[] {
  const script = async (name: string, args: string[]) => {
    const path = fileURLToPath(new URL(`reconcile/${name}.ts`, import.meta.url));
    const measured = await measure(process.execPath, ['--max-old-space-size=16000', path, ...args]);
    const { seconds, counts } = JSON.parse(measured.output.trim().split('\n').at(-1)!);
    return { ...measured, seconds, counts } as Measured & { counts: Counts };
  };
  const checked = async (name: string, args: string[]) => {
    const result = await script(name, args);
    if (JSON.stringify(result.counts) !== JSON.stringify(truth)) {
      throw new Error(`${name}: expected ${JSON.stringify(truth)}, got ${JSON.stringify(result.counts)}`);
    }
    return result;
  };
  const others = programs(left, right, '').filter(
    ({ command, rowsAtMost }) => size <= rowsAtMost && isInstalled(command),
  );
  return [
    { name: sideNames.chunks, rounds, run: (out) => checked('ours', [left, right, out, memory, 'true']) },
    {
      name: sideNames.onePiece,
      rounds,
      run: (out) => checked('ours', [left, right, out, fullMemory, 'false']),
    },
    { name: sideNames.bare, rounds, run: (out) => checked('bare', [left, right, out]) },
    { name: 'DuckDB, parsing alone', rounds, run: () => script('bare', [left, right]) },
    { name: 'JavaScript, streaming', rounds: 1, run: (out) => checked('streaming', [left, right, out]) },
    ...others.map(
      ({ command }): Side => ({
        name: command,
        rounds: 1,
        async run(out) {
          const { args, input, check } = programs(left, right, out).find((one) => one.command === command)!;
          const measured = await measure(command, args, input);
          if (!check(measured.output, truth))
            throw new Error(`${command}: got ${measured.output.slice(-300)}`);
          return measured;
        },
      }),
    ),
  ];
}

function isInstalled(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

// The last log lines of the jobs that run here, kept while there is an inspector: at 3 a.m. what was said before somebody
// looked is what counts. Bounded in lines a job and in all. Nothing is taken out one by one, so a line costs next to nothing:
// there are two generations, and when the younger is full the older goes.

const linesAJob = 100;
const longestLine = 4_000;
const charactersAGeneration = 2_000_000;
/** Of an entry beside its text, as characters. */
const overhead = 100;
/** A longer line is not even parsed. */
const longestParsed = 1_000_000;

export class JobLines {
  #older = new Map<string, string[]>();
  #younger = new Map<string, string[]>();
  #characters = 0;

  /** A line as pino writes it. One without a job is nobody's. */
  add(line: string): void {
    const id = jobOf(line);
    if (id === null) return;
    const kept = line.length <= longestLine ? line : shortened(line);
    const lines = this.#younger.get(id);
    // A text of its own: a part of the line would keep all of it.
    if (lines === undefined) this.#younger.set(Buffer.from(id).toString(), [kept]);
    else if (lines.push(kept) > 2 * linesAJob) lines.splice(0, linesAJob);
    this.#characters += kept.length + overhead;
    if (this.#characters < charactersAGeneration) return;
    this.#older = this.#younger;
    this.#younger = new Map();
    this.#characters = 0;
  }

  /** Oldest first. */
  of(id: string): readonly string[] {
    return [...(this.#older.get(id) ?? []), ...(this.#younger.get(id) ?? [])].slice(-linesAJob);
  }
}

/** Each line of a job has its id, and behind it its name, as its own fields. The app's logger may have a `jobId`, too. */
function jobOf(line: string): string | null {
  const [mark, next] = ['"jobId":"', '","job":"'];
  for (let at = line.indexOf(mark); at !== -1; at = line.indexOf(mark, at + 1)) {
    const from = at + mark.length;
    const to = line.indexOf('"', from);
    if (line.startsWith(next, to)) return line.slice(from, to);
  }
  return null;
}

/** What can be said of it in a few words. */
function shortened(line: string): string {
  const length = { length: line.length };
  if (line.length > longestParsed) return JSON.stringify(length);
  try {
    const short = Object.entries(JSON.parse(line)).map(([key, value]) => {
      if (typeof value === 'string') return [key, value.length > 1000 ? `${value.slice(0, 1000)}…` : value];
      return [key, typeof value === 'object' ? '…' : value];
    });
    return JSON.stringify({ ...Object.fromEntries(short.slice(0, 20)), ...length });
  } catch {
    return JSON.stringify(length);
  }
}

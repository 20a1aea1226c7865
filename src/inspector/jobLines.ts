// The last log lines of the jobs that run here, kept while there is an inspector: at 3 a.m. what was said before somebody
// looked is what counts. Bounded in lines a job and in all. Nothing is taken out one by one, so a line costs next to nothing:
// there are two generations, and when the younger is full the older goes.

const linesAJob = 100;
const longestLine = 4_000;
const charactersAGeneration = 2_000_000;

export class JobLines {
  #older = new Map<string, string[]>();
  #younger = new Map<string, string[]>();
  #characters = 0;

  /** A line as pino writes it. One without a job is nobody's. */
  add(line: string): void {
    const id = jobOf(line);
    if (id === null) return;
    const kept = line.length <= longestLine ? line : `{"msg":"(a line of ${line.length} characters)"}`;
    const lines = this.#younger.get(id);
    if (lines === undefined) this.#younger.set(id, [kept]);
    else if (lines.push(kept) > 2 * linesAJob) lines.splice(0, linesAJob);
    this.#characters += kept.length;
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

/** Every line of a job has its id, as the first of its own fields; nothing is parsed for it. */
function jobOf(line: string): string | null {
  const mark = '"jobId":"';
  const at = line.indexOf(mark);
  if (at === -1) return null;
  const from = at + mark.length;
  return line.slice(from, line.indexOf('"', from));
}

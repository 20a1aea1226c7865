// The last log lines of the jobs that run here, kept while there is an inspector: at 3 a.m. what was said before somebody
// looked is what counts. Bounded in lines a job and in all; the oldest go first.

const linesAJob = 100;
const longestLine = 4_000;
const mostCharacters = 8_000_000;

export class JobLines {
  /** By job; who spoke last stands last. */
  readonly #jobs = new Map<string, string[]>();
  #characters = 0;

  /** A line as pino writes it. One without a job is nobody's. */
  add(line: string): void {
    const id = jobOf(line);
    if (id === null) return;
    const lines = this.#jobs.get(id) ?? [];
    this.#jobs.delete(id);
    this.#jobs.set(id, lines);
    const kept = line.length <= longestLine ? line : `{"msg":"(a line of ${line.length} characters)"}`;
    lines.push(kept);
    this.#characters += kept.length;
    if (lines.length > linesAJob) this.#characters -= (lines.shift() as string).length;
    while (this.#characters > mostCharacters) this.#forgetOldest();
  }

  of(id: string): readonly string[] {
    return this.#jobs.get(id) ?? [];
  }

  #forgetOldest(): void {
    const [id, lines] = this.#jobs.entries().next().value as [string, string[]];
    this.#jobs.delete(id);
    for (const { length } of lines) this.#characters -= length;
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

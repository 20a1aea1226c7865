// What a job prints becomes log lines of that job, bounded: a job that prints without end must neither fill
// the host's memory nor its log.

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

const longestLine = 8 * 1024;
const mostBytes = 1024 * 1024;

/** Makes lines of text as it comes, cut at 8 KiB each and 1 MiB in all. */
export class OutputLines {
  #line = '';
  #bytes = 0;
  readonly #logLine: (line: string) => void;

  constructor(logLine: (line: string) => void) {
    this.#logLine = logLine;
  }

  /** False once the bound was met: nothing more is taken. */
  write(text: string): boolean {
    if (this.#bytes >= mostBytes) return false;
    const [first = '', ...rest] = text.split('\n');
    // A line costs its record too, however short it is.
    this.#bytes += text.length + 100 * rest.length;
    let open = this.#line + first.slice(0, longestLine - this.#line.length);
    for (const next of rest) {
      this.#logLine(open);
      open = next.slice(0, longestLine);
    }
    this.#line = open;
    if (this.#bytes < mostBytes) return true;
    this.end();
    this.#logLine(`output beyond ${mostBytes} bytes is dropped`);
    return false;
  }

  /** What was printed last may have no line end. */
  end(): void {
    if (this.#line !== '') this.#logLine(this.#line);
    this.#line = '';
  }
}

/** Reads a stream to its end, attempt by attempt. What is beyond the bound is read too, and dropped. */
export class OutputReader {
  #lines: OutputLines | null = null;

  readonly #stream: Readable;

  /** Paused until the first attempt begins. */
  constructor(stream: Readable) {
    this.#stream = stream;
    const decoder = new StringDecoder('utf8');
    // A bound that was met spares the decoding: a job may print gigabytes.
    stream.on('data', (bytes: Buffer) => {
      if (this.#lines?.write(decoder.write(bytes)) === false) this.#lines = null;
    });
    stream.on('end', () => this.#lines?.end());
    // A pipe that breaks with its process has nothing left to say.
    stream.on('error', () => {});
    stream.pause();
  }

  /** Lines from now on, counted anew. */
  begin(logLine: (line: string) => void): void {
    this.#lines?.end();
    this.#lines = new OutputLines(logLine);
    this.#stream.resume();
  }
}

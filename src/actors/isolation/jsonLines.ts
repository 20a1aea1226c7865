// Messages as lines of JSON on a pipe. The job's own code can reach the other end, so what comes is not trusted:
// a line that is no JSON is passed over, one without end closes the pipe.

import type { Readable } from 'node:stream';

/** More than any message: a chunk's rows are the longest. */
const longestLine = 256 * 2 ** 20;
const newline = 10;

export function readJsonLines(pipe: Readable, take: (message: unknown) => void): void {
  let open: Buffer[] = [];
  let length = 0;
  pipe.on('data', (bytes: Buffer) => {
    let rest = bytes;
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      const line = Buffer.concat([...open, rest.subarray(0, end)]);
      open = [];
      length = 0;
      rest = rest.subarray(end + 1);
      const message = parse(line);
      if (message !== undefined) take(message);
    }
    open.push(rest);
    length += rest.length;
    if (length > longestLine) pipe.destroy();
  });
  // A pipe that breaks with its process has nothing left to say.
  pipe.on('error', () => {});
}

export function toJsonLine(message: object): string {
  return `${JSON.stringify(message)}\n`;
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}

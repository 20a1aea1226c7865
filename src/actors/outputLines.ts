// What a job prints becomes log lines of that job, bounded: a job that prints without end must neither fill
// the host's memory nor its log.

import type { Readable } from 'node:stream';

const longestLine = 8 * 1024;
const mostBytes = 1024 * 1024;

/** Reads `stream` to its end; passes on its lines, cut at 8 KiB each and 1 MiB in all. */
export function logOutput(stream: Readable, logLine: (line: string) => void): void {
  let line = '';
  let bytes = 0;
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const isOver = bytes >= mostBytes;
    // A line costs its record too, however short it is.
    bytes += text.length + 100 * (text.split('\n').length - 1);
    if (isOver) return;
    const [first = '', ...rest] = text.split('\n');
    let open = line + first.slice(0, longestLine - line.length);
    for (const next of rest) {
      logLine(open);
      open = next.slice(0, longestLine);
    }
    line = open;
    if (bytes >= mostBytes) logLine(`output beyond ${mostBytes} bytes is dropped`);
  });
  stream.on('end', () => {
    if (line !== '') logLine(line);
  });
  // A pipe that breaks with its process has nothing left to say.
  stream.on('error', () => {});
}

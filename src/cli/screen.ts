// A stream that people may watch, shared by the progress line and everything that is said meanwhile: a text never lands in the
// middle of the progress line. The terminal stays in its normal mode, so that Ctrl-C stays a signal (the progress
// bar of @clack/prompts takes it as a key and ends the process with 0, its jobs with it).

import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** Coloured only where the stream is a terminal, and NO_COLOR is not set. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream): string {
  return styleText(style, text, { stream });
}

export interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  paint(style: Style, text: string): string;
  /** A text that stays, above the progress line. */
  write(text: string): void;
  /** Replaces the progress line; nothing is printed where there is no terminal. */
  show(line: string): void;
  clear(): void;
}

/** `margin` stands before each line. */
export function openScreen(stream: NodeJS.WriteStream, margin = ''): Screen {
  const isTerminal = stream.isTTY === true && process.env.TERM !== 'dumb';
  let shown = '';
  const erase = () => {
    if (shown !== '') stream.write('\r\x1b[2K\x1b[?25h');
  };
  const draw = (line: string) => stream.write(`\x1b[?25l\r\x1b[2K${margin}${line}`);
  const clear = () => {
    erase();
    shown = '';
  };
  // The cursor must come back however the process leaves.
  if (isTerminal) process.on('exit', clear);
  return {
    isTerminal,
    get columns() {
      return (stream.columns ?? 80) - stripVTControlCharacters(margin).length;
    },
    paint: (style, text) => paint(style, text, stream),
    write(text) {
      erase();
      const lines = text.replace(/\n$/, '').split('\n');
      stream.write(lines.map((line) => `${`${margin}${line}`.trimEnd()}\n`).join(''));
      if (shown !== '') draw(shown);
    },
    show(line) {
      if (!isTerminal || line === shown) return;
      draw(line);
      shown = line;
    },
    clear,
  };
}

// What a command prints, and when: once, or with --watch again and again. On a terminal a picture is drawn over the one
// before; elsewhere lines are appended, each when it is new; with --json one object a line.

import { setTimeout as pause } from 'node:timers/promises';
import { Option } from 'commander';
import type { Interruption } from '../interruption.ts';
import { paint, type Style } from '../screen.ts';
import { cut } from './table.ts';

export interface Page {
  readonly width: number;
  paint(style: Style, text: string): string;
}

export interface View {
  /** For a person who looks at it now. */
  picture(page: Page): string[];
  /** For a pipe that is watched: a line by what it is about, said again when it changes. */
  news(): Map<string, string>;
  readonly json: unknown;
  /** Nothing will change any more. */
  readonly isOver: boolean;
}

export interface OutputOptions {
  json?: true;
  watch?: true;
}

export const jsonOption = () => new Option('--json', 'print JSON, and nothing else, on standard output');
export const watchOption = () => new Option('-w, --watch', 'look again each second, until Ctrl-C');

const intervalMs = 1000;

/** Ends with the exit code: 0, or that of the signal that ended the watch. */
export async function show(
  look: () => Promise<View>,
  { json, watch }: OutputOptions,
  interruption: Interruption,
): Promise<number> {
  if (watch !== true) {
    const view = await look();
    console.log(json === true ? JSON.stringify(view.json) : view.picture(pageOf(process.stdout)).join('\n'));
    return 0;
  }
  const say = json === true ? jsonLines() : process.stdout.isTTY ? redrawing() : newLines();
  while (interruption.exitCode === null) {
    const view = await look();
    say(view);
    if (view.isOver) return 0;
    await pause(intervalMs, undefined, { signal: interruption.signal }).catch(() => {});
  }
  return interruption.exitCode;
}

/** A pipe takes lines of any length. */
export function pageOf(stream: NodeJS.WriteStream): Page {
  return {
    width: stream.isTTY ? stream.columns || 80 : Infinity,
    paint: (style, text) => paint(style, text, stream),
  };
}

function redrawing(): (view: View) => void {
  let height = 0;
  return (view) => {
    const page = pageOf(process.stdout);
    const rows = Math.max(2, (process.stdout.rows || 24) - 1);
    const all = view.picture(page);
    // More than fits would scroll, and could not be drawn over.
    const lines =
      all.length <= rows
        ? all
        : [...all.slice(0, rows - 1), page.paint('dim', `… ${all.length - rows + 1} more`)];
    const drawn = lines.map((line) => `${cut(line, page.width)}\x1b[0m\n`).join('');
    process.stdout.write(`${height === 0 ? '' : `\x1b[${height}A\r`}\x1b[J${drawn}`);
    height = lines.length;
  };
}

function newLines(): (view: View) => void {
  let said = new Map<string, string>();
  return (view) => {
    const news = view.news();
    for (const [about, line] of news) if (said.get(about) !== line) console.log(line);
    said = news;
  };
}

function jsonLines(): (view: View) => void {
  let said = '';
  return ({ json }) => {
    const line = JSON.stringify(json);
    if (line !== said) console.log(line);
    said = line;
  };
}

// Runs the code of one page, as its reader would, in a folder of its own. What may stand in a page:
//
// - `ts`, `js`: parts of one program, the page's, in their order. An HTML comment that begins with `hidden` adds what readers
//   need not see. One that begins with `// name.ts: what it is` is a file instead; it runs where the page names it, in a shell
//   or an import, else by itself. `//=> text` behind a statement is a line that is printed, in this order; `…` is any text.
// - `sh`: parts of one shell session. All must end with 0, or say `# ends with 1`. `npm install` does nothing: all is there.
// - `text`, or no language: lines that the block before prints.
// - `json`, `yaml`: are read.
// - `<!-- not run: reason -->` before any; `<!-- shown by: test -->` for what that test proves.

import { spawn } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import type { Block, Page } from './markdown.ts';
import { isOutput, type PageFiles } from './pageProject.ts';
import { type Peers, servers } from './peers.ts';

/** Answers with what is wrong, and with the blocks that were left out for want of a server. */
export async function runPage(
  files: PageFiles,
  peers: Peers,
): Promise<{ wrong: string[]; leftOut: string[] }> {
  const { page, folder, programs, shell } = files;
  const wrong = [...files.complaints];
  const leftOut: string[] = [];
  const sessions = shell.map(({ code }) => code).join('\n');
  const textOf = (blocks: readonly Block[]) => blocks.map(({ code }) => code).join('\n');
  for (const [file, blocks] of programs) {
    const others = [...programs].filter(([other]) => other !== file).map(([, blocks]) => textOf(blocks));
    if ([sessions, ...others].some((text) => text.includes(basename(file)))) continue;
    const missing = Object.keys(peers).filter((name) => !peers[name] && textOf(blocks).includes(`'${name}'`));
    if (missing.length > 0) {
      leftOut.push(`${page.path}: ${file}, for want of ${missing.join(' and ')}`);
      continue;
    }
    const ran = await run(process.execPath, [file], folder);
    if (ran.code !== 0)
      wrong.push(`${page.path}: ${file} ended with ${ran.code}\n${ran.stdout}${ran.stderr}`);
    else wrong.push(...missed(files, blocks, ran.stdout));
  }
  if (shell.length === 0) return { wrong, leftOut };
  const ran = await run('bash', ['session.sh'], folder);
  if (ran.code !== 0)
    wrong.push(`${page.path}: its shell ended with ${ran.code}\n${ran.stdout}${ran.stderr}`);
  for (const block of shell)
    wrong.push(...missed(files, [block], ran.stdout.split(`@@${block.line}\n`)[1] ?? ''));
  for (const [file, blocks] of programs)
    if (sessions.includes(basename(file))) wrong.push(...missed(files, blocks, ran.stdout));
  return { wrong, leftOut };
}

/** What these blocks promise to print, in their order, and `said` does not have. */
function missed({ page, here }: PageFiles, blocks: readonly Block[], said: string): string[] {
  const lines = said.split('\n').map((line) => line.trimEnd());
  let at = 0;
  const wrong: string[] = [];
  for (const { line, text } of blocks.flatMap((block) => promisesOf(page, block))) {
    const [first = '', ...rest] = here(text)
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${[first, ...rest].join('.*')}$`);
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found === -1) wrong.push(`${page.path}:${line}: not printed: ${text}\n${said}`);
    else at = found + 1;
  }
  return wrong;
}

function promisesOf(page: Page, block: Block): { line: number; text: string }[] {
  const inCode = block.code.split('\n').flatMap((code, index) => {
    const text = /\/\/=> (.*)$/.exec(code)?.[1];
    return text === undefined ? [] : [{ line: block.line + index, text }];
  });
  const next = page.blocks[page.blocks.indexOf(block) + 1];
  if (next === undefined || !isOutput(next) || next.remark !== null) return inCode;
  const lines = next.code.trimEnd().split('\n');
  return [...inCode, ...lines.map((text, index) => ({ line: next.line + index, text: text.trimEnd() }))];
}

interface Ran {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

/** With all that it leaves behind ended. */
function run(command: string, args: string[], cwd: string): Promise<Ran> {
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const child = spawn(command, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...environment,
      PATH: `${join(cwd, 'node_modules/.bin')}:${dirname(process.execPath)}:${process.env.PATH}`,
      NO_COLOR: '1',
      ...servers,
    },
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      ran[name] += text;
    });
  const end = () => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {}
  };
  const late = setTimeout(end, 50_000);
  child.once('exit', end);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(late);
      resolve({ ...ran, code: code ?? signal });
    });
  });
}

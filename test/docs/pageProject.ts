// The code of our pages as files: a project with all that a page may import, and a folder in it for each page.

import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { type Block, type Page, root } from './markdown.ts';

const isCode = ({ language }: Block) => /^(ts|js|hidden)$/.test(language);
export const isOutput = ({ language }: Block) => language === '' || language === 'text';
const nameOf = ({ code }: Block) => /^\/\/ ([\w./-]+\.[cm]?[jt]s): /.exec(code)?.[1] ?? null;

export interface PageFiles {
  readonly page: Page;
  readonly folder: string;
  /** Path in the folder → its blocks. The page's own program is `_page.ts` or `_page.js`. */
  readonly programs: ReadonlyMap<string, readonly Block[]>;
  readonly shell: readonly Block[];
  readonly notRun: readonly Block[];
  /** Code as it is run here: its ports and the like are others than the page says. */
  here(code: string): string;
  /** What is wrong with blocks that are only read, and with those that nothing proves. */
  readonly complaints: readonly string[];
}

/** An empty project beside all that a page may import: this checkout's packages, and those of the benchmarks' peers. */
export function makeProject(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  for (const from of [join(root, 'node_modules'), join(root, 'bench/node_modules')]) {
    for (const name of existsSync(from) ? readdirSync(from) : []) {
      if (/^\.|^unstuck/.test(name) || existsSync(join(modules, name))) continue;
      symlinkSync(join(from, name), join(modules, name));
    }
  }
  // The sources, as a package: what job processes import is the same as what the page does.
  mkdirSync(join(modules, 'unstuck'));
  const exports = {
    '.': './src/index.ts',
    './postgres': './src/postgres/index.ts',
    './reconciliation': './src/reconciliation/index.ts',
    './testing': './src/testing/index.ts',
    './testing/vitest': './src/testing/vitest.ts',
  };
  writeFileSync(
    join(modules, 'unstuck/package.json'),
    JSON.stringify({ name: 'unstuck', type: 'module', exports }),
  );
  symlinkSync(join(root, 'src'), join(modules, 'unstuck/src'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const commands = {
    unstuck: `exec ${process.execPath} ${join(root, 'bin/unstuck.js')} "$@"`,
    npx: 'exec "$@"',
    npm: 'exit 0',
  };
  for (const [name, text] of Object.entries(commands)) {
    writeFileSync(join(modules, '.bin', name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(modules, '.bin', name), 0o755);
  }
}

/** Writes what the page has into a folder of the project. Lines of its files are lines of the page. */
export async function writePage(page: Page, project: string): Promise<PageFiles> {
  const folder = join(project, page.path.replace(/\.md$/, '').replaceAll('/', '-'));
  mkdirSync(folder);
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  symlinkSync(join(root, 'examples'), join(folder, 'examples'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const complaints: string[] = [];
  const programs = new Map<string, Block[]>();
  const shell: Block[] = [];
  const notRun: Block[] = [];
  let before: Block | null = null;
  for (const block of page.blocks) {
    const complain = (what: string) => complaints.push(`${page.path}:${block.line}: ${what}`);
    const [, kind, reason = ''] = /^(not run|shown by): (.+)$/.exec(block.remark ?? '') ?? [];
    if (kind === 'not run') notRun.push(block);
    else if (kind === 'shown by') {
      const test = join(root, reason);
      const proof = existsSync(test) ? readFileSync(test, 'utf8') : '';
      const lines = block.code.trim().split('\n');
      if (!proof.includes(page.path) && !lines.every((line) => proof.includes(line)))
        complain(`${reason} does not show it`);
    } else if (isCode(block)) {
      const typed = page.blocks.some(({ language }) => language === 'ts');
      const file = nameOf(block) ?? (typed ? '_page.ts' : '_page.js');
      programs.set(file, [...(programs.get(file) ?? []), block]);
    } else if (block.language === 'sh') shell.push(block);
    else if (block.language === 'json' || block.language === 'yaml') {
      try {
        if (block.language === 'json') JSON.parse(block.code);
        else parseYaml(block.code);
      } catch (error) {
        complain(String(error));
      }
    } else if (!isOutput(block)) complain(`nothing runs ${block.language}`);
    else if (before === null || !(isCode(before) || before.language === 'sh')) complain('no block prints it');
    if (!isOutput(block)) before = block;
  }
  const here = await namesOfThisRun(page);
  for (const [file, blocks] of programs) {
    const lines: string[] = page.text.split('\n').map(() => '');
    for (const { line, code } of blocks)
      lines.splice(line - 1, code.split('\n').length - 1, ...code.trimEnd().split('\n'));
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), here(lines.join('\n')));
  }
  const session = shell
    .map(
      ({ line, code }) =>
        `echo '@@${line}'\n${code.replace(/ # ends with (\d+).*$/gm, ' || test $? -eq $1')}`,
    )
    .join('\n');
  writeFileSync(
    join(folder, 'session.sh'),
    here(`set -eE\ntrap 'echo "failed: $BASH_COMMAND" >&2' ERR\n${session}`),
  );
  return { page, folder, programs, shell, notRun, here, complaints };
}

const port =
  /(?<=\bport:? |--port |--inspect |--metrics |PORT=|listen\(|127\.0\.0\.1:|localhost:)(?!5432|6379)\d{4}\b/g;

/** What pages call `shop`. */
export const nameOfThisRun = `shop_${process.pid}`;

/** Pages name ports, and a queue or schema `shop`, that another run on this machine may have too. */
async function namesOfThisRun({ blocks }: Page): Promise<(code: string) => string> {
  const names = new Map([["'shop'", `'${nameOfThisRun}'`]]);
  for (const [name] of blocks.flatMap(({ code }) => [...code.matchAll(port)])) {
    if (names.has(name)) continue;
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    names.set(name, String((server.address() as AddressInfo).port));
    server.close();
  }
  const here = (name: string) => names.get(name) ?? name;
  return (code) => code.replace(/'shop'/g, here).replace(port, here);
}

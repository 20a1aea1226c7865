// The package as a stranger gets it: packed, put into an empty project, and the README's own lines written there, as ES
// modules and as CommonJS.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');

export interface Manifest {
  dependencies: Record<string, string>;
}
export const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Builds and packs; answers with the tarball's path. */
export function pack(folder: string): string {
  const said = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const filename = /"filename": "([^"]+\.tgz)"/.exec(said)?.[1] as string;
  return join(folder, filename);
}

/** Without a registry: the tarball unpacked, beside what it declares and nothing else, which is this checkout's. */
export function installByLinks(tarball: string, project: string): void {
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'unstuck'), { recursive: true });
  execFileSync('tar', ['xzf', tarball, '-C', join(modules, 'unstuck'), '--strip-components=1']);
  for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
}

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const shown = (file: string) =>
  (
    new RegExp(`\`\`\`ts\\n(// ${file.replace('.', '\\.')}[\\s\\S]*?)\`\`\``).exec(readme) as RegExpExecArray
  )[1] as string;

/** A line that must not compile: where types were lost it would. */
const wrong = `// @ts-expect-error: customers are an array
const refused = () => processor.submit('invoices', { customers: 1 });
// @ts-expect-error: sent is a number
const text: string = (await job.result()).sent;
`;

/** The README's twenty lines, in each kind of module, to be run and to be type-checked. */
export function writeReadmeLines(project: string): void {
  const write = (file: string, text: string) => writeFileSync(join(project, file), text);
  const job = shown('invoices.ts');
  const app = shown('app.ts');
  write('package.json', '{ "type": "module", "private": true }');
  write('invoices.ts', job);
  write('app.ts', app);
  write('checked.ts', app + wrong);

  const asCommonJs = (text: string) => text.replaceAll('import.meta.url', '__filename');
  const inFunction = (text: string) => {
    const imports = text.match(/^import .*$/gm) ?? [];
    return `${imports.join('\n')}\nasync function main() {\n${text.replace(/^import .*$/gm, '')}}\nmain();\n`;
  };
  const required = (text: string) =>
    stripTypeScriptTypes(text)
      .replace(/^import (.*) from '(.*)';$/gm, "const $1 = require('$2');")
      .replace('./invoices.ts', './invoices.cjs')
      .replace('export default', 'module.exports =');
  write('invoices.cjs', required(asCommonJs(job)));
  write('app.cjs', required(inFunction(app)));
  write('invoicesTypes.cts', asCommonJs(job));
  write('checked.cts', inFunction(app + wrong).replace('./invoices.ts', './invoicesTypes.cts'));

  // The same job in a test of an app.
  const inTest = `import { jobPaths, testProcessor } from 'unstuck/testing';
import invoices from './invoices.ts';

const runtime = await testProcessor({ jobs: { invoices } });
const tested = await runtime.submit('invoices', { customers: ['Alice', 'Bob'] });
await runtime.untilDone(tested);
const sent: number = (await tested.result()).sent;
console.log({ sent });
await runtime.stop();
const row = ({ customer }: { customer: string }) => customer;
const paths = jobPaths(invoices, { customers: ['Alice'] }, { row });
for (const path of paths) await path.run();
console.log('all paths', paths.length > 200);
`;
  write('testing.ts', inTest);
  write(
    'checkedTesting.ts',
    `${inTest}// @ts-expect-error: customers are an array
jobPaths(invoices, { customers: 1 });
// @ts-expect-error: no such fault
runtime.fault('hangs');
`,
  );
  write('testing.cjs', required(inFunction(inTest)));

  // Its types need no package beside ours.
  write(
    'checkedPostgres.ts',
    `import { defineChunkedJob } from 'unstuck';
import { inTransaction } from 'unstuck/postgres';

defineChunkedJob({
  start: { done: 0 },
  chunks: (ids: number[]) => [ids],
  process: inTransaction(async (ids, { checkpoint, append }, sql) => {
    const { rows } = await sql.query<{ id: number }>('SELECT $1::int AS id', [ids[0]]);
    append(...rows);
    // @ts-expect-error: ids are numbers
    ids satisfies string[];
    return { done: checkpoint.done + rows.length };
  }),
});
// @ts-expect-error: no such checkpoint
defineChunkedJob({ start: { done: 0 }, chunks: (ids: number[]) => [ids], process: inTransaction(async () => ({ did: 1 })) });
`,
  );

  const compilerOptions = {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    types: ['node'],
    allowImportingTsExtensions: true,
    // The declarations themselves are checked too.
    skipLibCheck: false,
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts', '*.cts'] }));
}

export type ProjectFile = 'app.ts' | 'app.cjs' | 'testing.ts' | 'testing.cjs';

/** What a run of the README's lines prints, but for times. */
export function run(node: string, project: string, file: ProjectFile): string {
  return execFileSync(node, ['--disable-warning=ExperimentalWarning', file], {
    cwd: project,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
}

/** Empty where a program of these types compiles. */
export function typeErrors(project: string): string {
  try {
    execFileSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** What `unstuck/testing` is to print, and is not there. */
export function missingInTest(said: string): string[] {
  return ['{ sent: 2 }', 'all paths true'].filter((line) => !said.includes(line));
}

/** What the README's comments promise of its lines, and is not there. */
export function missing(said: string): string[] {
  const promised = [
    '{ sent: 4 }',
    "{ customer: 'Bob', attempt: 1 }",
    "{ customer: 'Carol', attempt: 2 }",
    "timeout: 'heartbeat'",
  ];
  return promised.filter((line) => !said.includes(line));
}

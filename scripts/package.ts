// npm run package: packs, installs the tarball with npm into an empty project for each Node that the registry has, and runs
// the README's lines there as ES modules and as CommonJS, types checked. Says what could not be run.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  missing,
  missingInTest,
  type ProjectFile,
  pack,
  run,
  typeErrors,
  writeReadmeLines,
} from '../test/package/packedProject.ts';

const versions = ['22', '24', '26'];
const folder = mkdtempSync(join(tmpdir(), 'unstuck-package-'));
const npm = (project: string, ...args: string[]) =>
  execFileSync('npm', args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The Node of this version, as a package of the registry holds it for this machine. */
function nodeOf(version: string): string | null {
  const place = mkdtempSync(join(folder, 'node-'));
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  try {
    npm(place, 'install', '--no-save', '--prefix', place, `${name}@${version}`);
  } catch {
    return null;
  }
  const path = join(place, 'node_modules', name, 'bin/node');
  return existsSync(path) ? path : null;
}

/** Each step, and what is wrong with it. */
function check(node: string, tarball: string): Record<string, string> {
  const project = mkdtempSync(join(folder, 'project-'));
  writeReadmeLines(project);
  npm(project, 'install', tarball, '@types/node@24');
  const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));
  const scripts = Object.entries(lock.packages as Record<string, { hasInstallScript?: true }>)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path);
  const native = readdirSync(join(project, 'node_modules'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.node'),
  );
  const lines = (file: ProjectFile) => {
    try {
      const said = run(node, project, file);
      return (file.startsWith('app') ? missing(said) : missingInTest(said)).join(', ');
    } catch (error) {
      return (error as Error).message;
    }
  };
  return {
    'ES modules': lines('app.ts'),
    CommonJS: lines('app.cjs'),
    'unstuck/testing, ES modules': lines('testing.ts'),
    'unstuck/testing, CommonJS': lines('testing.cjs'),
    types: typeErrors(project),
    'nothing native': [...scripts, ...native].join(', '),
  };
}

try {
  const tarball = pack(folder);
  for (const version of versions) {
    const node = nodeOf(version);
    if (node === null) {
      console.log(`Node ${version}: not run, the registry has none for this machine`);
      continue;
    }
    const said = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    for (const [step, problem] of Object.entries(check(node, tarball))) {
      console.log(`Node ${said} ${step}: ${problem === '' ? 'ok' : problem}`);
      if (problem !== '') process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

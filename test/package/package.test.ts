// The package as it is published: it is whole, runs in a project that has nothing else, in both kinds of module, with its
// types, and brings nothing native. `npm run package` does the same with a real install, under each Node.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  installByLinks,
  manifest,
  missing,
  missingInTest,
  pack,
  root,
  run,
  typeErrors,
  writeReadmeLines,
} from './packedProject.ts';

let folder: string;
let tarball: string;
let project: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  project = mkdtempSync(join(folder, 'project-'));
  tarball = pack(folder);
  installByLinks(tarball, project);
  writeReadmeLines(project);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(['app.ts', 'app.cjs'] as const)("the README's lines run in an empty project: %s", (file) => {
  expect(missing(run(process.execPath, project, file))).toEqual([]);
});

test.each(['testing.ts', 'testing.cjs'] as const)(
  'unstuck/testing runs there too, without vitest: %s',
  (file) => {
    expect(missingInTest(run(process.execPath, project, file))).toEqual([]);
  },
);

test('its types are there in both kinds of module, and no input or result is any', () => {
  expect(typeErrors(project)).toBe('');
});

test('its command line runs', () => {
  const cli = join(project, 'node_modules/unstuck/bin/unstuck.js');
  expect(execFileSync(process.execPath, [cli, '--help'], { encoding: 'utf8' })).toContain('reconcile');
});

test('publint finds nothing', async () => {
  const { buffer } = new Uint8Array(readFileSync(tarball));
  expect((await publint({ pack: { tarball: buffer }, strict: true })).messages).toEqual([]);
});

test('are the types wrong: no', () => {
  const attw = join(root, 'node_modules/.bin/attw');
  // An ES module that is required is an error only to a Node older than those it runs on: the test above requires it.
  const flags = ['--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji'];
  const said = execFileSync(process.execPath, [attw, tarball, ...flags], { encoding: 'utf8' });
  expect(said).toContain('No problems found');
});

test('an app that installs it gets nothing native, and no script that runs at the install', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<
      string,
      { dependencies?: object; optionalDependencies?: object; hasInstallScript?: true }
    >;
  };
  /** The place of a package as `from` finds it. */
  const place = (name: string, from: string): string => {
    const path = `${from === '' ? '' : `${from}/`}node_modules/${name}`;
    return path in packages || from === ''
      ? path
      : place(name, from.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, ''));
  };
  const installed = new Set<string>();
  const add = (path: string) => {
    if (installed.has(path)) return;
    installed.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) add(place(name, path));
  };
  for (const name of Object.keys(manifest.dependencies)) add(place(name, ''));
  expect(installed.size).toBeGreaterThan(Object.keys(manifest.dependencies).length);
  expect([...installed].filter((path) => packages[path] === undefined)).toEqual([]);
  expect([...installed].filter((path) => packages[path]?.hasInstallScript)).toEqual([]);
  const native = [...installed].flatMap((path) =>
    readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.includes('node_modules/') && /(\.node|binding\.gyp)$/.test(file))
      .map((file) => join(path, file)),
  );
  expect(native).toEqual([]);
});

// The measured files, how much of each was run, what was not, and what is left out of the count: where, and why.

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FileCoverage, Range } from 'istanbul-lib-coverage';
import { coverageOf, readScripts } from './rawCoverage.ts';

export interface Measured {
  files: Record<string, Count>;
  missing: { place: string; what: string }[];
  excluded: { place: string; reason: string }[];
}

/** What there is, and how much of it was run. */
export interface Count {
  lines: number;
  linesRun: number;
  branches: number;
  branchesRun: number;
  functions: number;
  functionsRun: number;
}

/**
 * `folder`: where Node wrote what was run. `pattern`: of the sources, from `root`. Throws where a part is left out without
 * a reason.
 */
export async function measure(folder: string, root: URL, pattern: string): Promise<Measured> {
  const cwd = fileURLToPath(root);
  const files = globSync(pattern, { cwd }).sort();
  const urlOf = (file: string) => pathToFileURL(cwd + file).href;
  const scripts = readScripts(folder, new Set(files.map(urlOf)));
  const measured: Measured = { files: {}, missing: [], excluded: [] };
  for (const file of files) {
    const text = readFileSync(cwd + file, 'utf8').split('\n');
    const coverage = await coverageOf(urlOf(file), scripts.get(urlOf(file)));
    measured.files[file] = countOf(coverage);
    measured.missing.push(...missingIn(file, text, coverage));
    measured.excluded.push(...excludedIn(file, text));
  }
  return measured;
}

function countOf(coverage: FileCoverage): Count {
  const { lines, branches, functions } = coverage.toSummary();
  return {
    lines: lines.total,
    linesRun: lines.covered,
    branches: branches.total,
    branchesRun: branches.covered,
    functions: functions.total,
    functionsRun: functions.covered,
  };
}

function missingIn(file: string, text: readonly string[], coverage: FileCoverage): Measured['missing'] {
  const told = (way: string, { line, column }: Range['start']) => ({
    place: `${file}:${line}:${column + 1}`,
    what: `${way}: ${text[line - 1]?.slice(column).trim()}`,
  });
  const lines = coverage
    .getUncoveredLines()
    .map((line) => told('line not run', { line: Number(line), column: 0 }));
  const branches = Object.entries(coverage.branchMap).flatMap(([id, { type, loc, locations }]) =>
    (coverage.b[id] as number[]).flatMap((count, index) => {
      if (count > 0) return [];
      if (type === 'if') return [told(index === 0 ? 'never true' : 'always true', loc.start)];
      return [told('never taken', (locations[index] as Range).start)];
    }),
  );
  const functions = Object.entries(coverage.fnMap)
    .filter(([id]) => coverage.f[id] === 0)
    .map(([, { loc }]) => told('function not called', loc.start));
  return [...lines, ...branches, ...functions];
}

const hint = /(?:v8|c8|istanbul|node:coverage) ignore \w+(?: -- (.*?))?(?: \*\/|$)/;

function excludedIn(file: string, text: readonly string[]): Measured['excluded'] {
  return text.flatMap((line, index) => {
    const found = hint.exec(line);
    if (found === null) return [];
    const place = `${file}:${index + 1}`;
    const [, reason] = found;
    if (reason === undefined)
      throw new Error(`${place}: expected a reason, as in "v8 ignore next -- why", got ${found[0]}`);
    return [{ place, reason }];
  });
}

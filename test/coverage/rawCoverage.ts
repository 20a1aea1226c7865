// What V8 counted, in many processes and threads, as lines and branches of our sources. Types are stripped in place, so
// what ran stands where its source stands: all of it is added up as V8 wrote it, and looked at once.

import { readdirSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mergeScriptCovs } from '@bcoe/v8-coverage';
import { parse } from 'acorn';
import { convert } from 'ast-v8-to-istanbul';
import coverageLibrary, { type FileCoverage } from 'istanbul-lib-coverage';

type Script = Profiler.ScriptCoverage;

/** `folder`: where Node wrote its coverage. By URL, added up. */
export function readScripts(folder: string, urls: ReadonlySet<string>): Map<string, Script> {
  const merged = new Map<string, Script>();
  for (const name of readdirSync(folder)) {
    for (const script of scriptsOf(readFileSync(join(folder, name), 'utf8'))) {
      if (!urls.has(script.url)) continue;
      const before = merged.get(script.url);
      merged.set(script.url, before === undefined ? script : (mergeScriptCovs([before, script]) as Script));
    }
  }
  return merged;
}

/** Who was killed while it wrote has left half a file: what it ran is lost, as of any that is killed. */
function scriptsOf(text: string): Script[] {
  try {
    return JSON.parse(text).result;
  } catch {
    return [];
  }
}

/** A file that nothing ran is there with nothing covered. */
export async function coverageOf(url: string, script: Script | undefined): Promise<FileCoverage> {
  const code = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
  const never = {
    functionName: '',
    isBlockCoverage: true,
    ranges: [{ startOffset: 0, endOffset: code.length, count: 0 }],
  };
  const map = coverageLibrary.createCoverageMap(
    (await convert({
      code,
      ast: parse(code, { ecmaVersion: 'latest', sourceType: 'module' }) as never,
      coverage: script ?? { url, functions: [never] },
    })) as never,
  );
  return map.fileCoverageFor(fileURLToPath(url));
}

// Which of this process's own flags its children need: with all of them, an app started by --eval ran itself
// again in each of its jobs. Read once, when the app starts: a relative path counts from there.

import { resolve } from 'node:path';

/** How modules are found and loaded. */
const loading = /^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C)(=|$)/;
const forAll = /^--(enable-source-maps|preserve-symlinks|preserve-symlinks-main|no-warnings)$/;
/** How much may be used, and what is on: of the whole process. */
const forProcesses = /^--(experimental-(?!loader\b)|no-experimental-|max-|stack-|icu-|openssl-)/;

const flags = process.execArgv.flatMap((flag, index, all) => {
  if (!flag.startsWith('-')) return [];
  const next = all[index + 1];
  // A value stands behind `=`, or in the next item.
  const value = flag.includes('=') || next === undefined || next.startsWith('-') ? [] : [next];
  return [[flag, ...value].map(absolute)];
});

export const processFlags: readonly string[] = flags
  .filter(([flag = '']) => loading.test(flag) || forAll.test(flag) || forProcesses.test(flag))
  .flat();

/** A thread refuses flags of the whole process, which it has anyway. */
export const threadFlags: readonly string[] = flags
  .filter(([flag = '']) => loading.test(flag) || forAll.test(flag))
  .flat();

function absolute(text: string): string {
  return text.replace(/(^|=)(\.\.?\/.*)$/, (_, before: string, path: string) => before + resolve(path));
}

// Which of this process's own flags its children need: with all of them, an app started by --eval ran itself
// again in each of its jobs.

const single =
  /^--(experimental-(?!loader\b)|no-experimental-|enable-source-maps|max-|stack-|no-warnings|preserve-symlinks|icu-|openssl-)/;
const withValue = /^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C)(=|$)/;

/** How modules are found and loaded, and how much may be used. */
export function childFlags(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    if (single.test(flag)) return [flag];
    const found = withValue.exec(flag);
    if (found === null) return [];
    return found[2] === '=' ? [flag] : [flag, flags[index + 1] ?? ''];
  });
}

// Makes package-lock.json name every platform's optional package, so that `npm ci` accepts it everywhere.
// `npm install` leaves out those that the registry in use does not hold (a mirror of one platform, say), and
// then refuses its own lockfile. Run by hand after changing a dependency: `npm run lock`.

import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const platforms = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];
let added = 0;

for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined || !/^\d/.test(version)) continue;
    const os = platforms.filter((word) => name.includes(word));
    const cpu = processors.filter((word) => name.split(/[-/]/).includes(word));
    // npm skips what is not for this machine; what claims to be for it must come with its checksum.
    if (os.includes(process.platform) && cpu.includes(process.arch) && !/musl|gnueabi/.test(name)) continue;
    lock.packages[path] = {
      version,
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      ...(os.length ? { os } : {}),
      ...(cpu.length ? { cpu } : {}),
      ...(name.includes('musl') ? { libc: ['musl'] } : {}),
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added`);

// The library's first import: on a Node that cannot run the rest, one line says what to do, instead of an
// error from somewhere inside. (The command line has its own, in bin/: it must run on any Node.)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  throw new Error(
    `unstuck needs Node.js 22.18 or newer, this is ${process.versions.node}: install a newer one.`,
  );
}

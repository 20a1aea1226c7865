'use strict';
// Every entry point runs this first, so it is written in the syntax of Node 12: on a Node that cannot run the
// rest, one line says what to do, instead of a syntax error from somewhere inside.

var needed = [22, 18];
var found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    'unstuck needs Node.js ' +
      needed.join('.') +
      ' or newer, this is ' +
      process.versions.node +
      '. Install a newer one (https://nodejs.org), or in a checkout run `npm ci` and use its own: ' +
      '`npm start`, `npx unstuck`, or `node_modules/.bin/node`.',
  );
  process.exit(2);
}

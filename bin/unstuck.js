#!/usr/bin/env node
// The command line's door. Imported first: the check that this Node can run the rest.

import './checkNode.cjs';
// biome-ignore lint/style/useNodejsImportProtocol: an old Node must get as far as the check.
import { existsSync } from 'fs';

// A checkout runs its sources, which are never older than themselves; the package has only what was compiled.
var source = new URL('../src/cli/main.ts', import.meta.url);
var compiled = new URL('../dist/cli/main.js', import.meta.url);

import((existsSync(source) ? source : compiled).href).then((cli) => {
  cli.main(process.argv);
});

// For a checkout alone: `unstuck` is its sources here, so that the examples say what an app says.
// node --import ./examples/embedding/source.js examples/embedding/express.ts
import { registerHooks } from 'node:module';

const url = new URL('../../src/index.ts', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'unstuck' ? { url, shortCircuit: true } : next(specifier, context),
});

// For a checkout alone: `unstuck` is its sources here, so that the examples say what an app says.
// node --import ./examples/embedding/source.js examples/embedding/express.ts
import { registerHooks } from 'node:module';

const sources = {
  unstuck: '../../src/index.ts',
  'unstuck/postgres': '../../src/postgres/index.ts',
  'unstuck/testing': '../../src/testing/index.ts',
  'unstuck/testing/vitest': '../../src/testing/vitest.ts',
};
registerHooks({
  resolve: (specifier, context, next) =>
    Object.hasOwn(sources, specifier)
      ? { url: new URL(sources[specifier], import.meta.url).href, shortCircuit: true }
      : next(specifier, context),
});

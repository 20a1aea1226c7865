// Loaded with --import: writes down each process that loads OpenTelemetry's API, in the file of `?file=PATH`.

import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const file = new URL(import.meta.url).searchParams.get('file') as string;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === '@opentelemetry/api') appendFileSync(file, `${process.pid}\n`);
    return next(specifier, context);
  },
});

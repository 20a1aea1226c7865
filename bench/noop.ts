// A job that does nothing, for the benchmark `start`.

import { defineJob } from '../src/index.ts';

export default defineJob({ module: import.meta.url, run: (input: number) => input });

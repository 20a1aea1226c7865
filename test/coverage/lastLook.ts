// The test runner's own processes are killed when their file is done: what it covered is written before.

import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

afterAll(() => takeCoverage());

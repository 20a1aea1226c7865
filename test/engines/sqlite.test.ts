import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { engineContract } from './contract.ts';
import { limitsContract } from './limitsContract.ts';

const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

const create = () => new SqliteEngine({ path: join(folder, `${++files}.db`) });

engineContract('sqlite', create);
// A file each, and a commit a step.
limitsContract('sqlite', create, 8);

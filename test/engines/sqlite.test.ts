import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { engineContract } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

engineContract('sqlite', () => new SqliteEngine({ path: join(folder, `${++files}.db`) }));

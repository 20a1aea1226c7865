// The table of docs/guarantees.md, made from what the fault matrix is run from. `npm run guarantees` writes it; a
// test fails when it is stale.

import { outcomes, promises } from '../test/faults/promises.ts';
import { writeMarked } from './marked.ts';

export const guaranteesTable = [
  '| the job | `process` | `thread` | `inline` |',
  '| --- | --- | --- | --- |',
  ...Object.values(promises).map(
    ({ about, process, thread, inline }) => `| ${about} | ${process} | ${thread} | ${inline} |`,
  ),
  '',
  ...Object.entries(outcomes).map(([outcome, meaning]) => `- **${outcome}**: ${meaning}`),
].join('\n');

export const guarantees = new URL('../docs/guarantees.md', import.meta.url);

if (import.meta.main) writeMarked(guarantees, 'matrix', guaranteesTable);

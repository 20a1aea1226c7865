// The table of docs/reliability.md, made from the faults that `npm run mutate` plants. `npm run plants` writes it; a test
// fails when it is stale.

import { plants } from '../test/mutation/plants.ts';
import { writeMarked } from './marked.ts';

export const plantsTable = [
  '| fault | promise that it breaks | noticed by |',
  '| --- | --- | --- |',
  ...plants.map(({ fault, promise, caughtBy }) => {
    const tests = caughtBy.map(({ file, test }) => `“${test}” (\`${file.replace('test/', '')}\`)`);
    return `| ${fault} | ${promise} | ${tests.join('<br>')} |`;
  }),
].join('\n');

export const reliability = new URL('../docs/reliability.md', import.meta.url);

if (import.meta.main) writeMarked(reliability, 'plants', plantsTable);

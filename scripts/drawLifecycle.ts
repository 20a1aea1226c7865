// npm run lifecycle: writes docs/lifecycle.md from the job's chart. A test fails when the page is stale.

import { writeFileSync } from 'node:fs';
import { jobMachine } from '../src/machines/job.ts';
import { chartDiagram, chartTable } from './chartText.ts';

export const lifecyclePage = `# The life of a job

<!-- all shown by: test/docs/lifecycle.test.ts -->

Generated from \`src/machines/job.ts\` by \`npm run lifecycle\`. Do not edit: a test fails when this page and the
chart differ.

The top-level state is the stored status, the name of the event a processor emits, and the word in the logs.
A job in \`queued\` or \`retrying\` is a stored row; in \`running\` and \`stopping\` an actor of this chart is alive.
Every way out of \`running\` goes through \`settling\`: the state is entered when it is durable. Nothing leaves
\`stopping\` for another attempt before \`attempt.ended\`, the proof that no code of the last one runs.
\`superseded\` is the one state that is never stored: the attempt's token went stale, its job belongs to a newer one.

${chartDiagram(jobMachine)}

## Every transition

${chartTable(jobMachine)}
`;

if (import.meta.main) writeFileSync(new URL('../docs/lifecycle.md', import.meta.url), lifecyclePage);

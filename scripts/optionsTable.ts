// The settings table of docs/options.md, made from the one place that knows the settings. `npm run options` writes
// it; a test fails when it is stale.

import { attemptsSetting, numberSettings, processorNumbers } from '../src/runtime/settings.ts';
import { writeMarked } from './marked.ts';

const about: Record<(typeof numberSettings)[number]['name'], string> = {
  jobTimeoutSeconds: 'start of an attempt → its end',
  heartbeatTimeoutSeconds: 'last sign of life → now; inline code: off unless the job or the submit sets it',
  progressTimeoutSeconds: 'last finished chunk → now; chunked jobs only',
  queueTimeoutSeconds: 'submitted → first started',
  deadlineSeconds: 'submitted → final state, all attempts together',
  graceSeconds: 'the signal → SIGTERM',
  memoryLimitMb: "resident memory of the attempt's process, MB; `process` isolation only",
  maxCrashes: 'ends of the host while the job runs in it, with no checkpoint between; inline and thread only',
  chunkSize: 'items a chunk should hold; frozen at submit',
};

const aboutProcessor: Record<(typeof processorNumbers)[number]['name'], string> = {
  maxConcurrentJobs: 'attempts alive at once',
  spares: 'processes and threads kept started ahead, each',
  monitorIntervalSeconds: 'pause between two sweeps',
  leaseSeconds:
    'how long a processor that is gone keeps its jobs; on PostgreSQL also how long, less a quarter, its attempts go on while the database is away',
  queueTooOldSeconds: 'a job has waited for a slot so long: `queueTooOld` is told',
  keepCompletedSeconds: 'a completed job is removed so long after its end',
  keepFailedSeconds: 'one that failed, timed out or was cancelled',
};

const show = (value: number) => (value === Infinity ? 'off' : String(value));

export const optionsTable = [
  '| setting | counts | default | environment variable |',
  '| --- | --- | --- | --- |',
  ...numberSettings.map(
    ({ name, fallback, variable }) =>
      `| \`${name}\` | ${about[name]} | ${show(fallback)} | \`${variable}\` |`,
  ),
  `| \`retry.maxAttempts\` | attempts in all | ${attemptsSetting.fallback} | \`${attemptsSetting.variable}\` |`,
  ...processorNumbers.map(
    ({ name, fallback, variable }) =>
      `| \`${name}\` | ${aboutProcessor[name]} (processor only) | ${fallback} | \`${variable}\` |`,
  ),
].join('\n');

export const optionsPage = new URL('../docs/options.md', import.meta.url);

if (import.meta.main) writeMarked(optionsPage, 'options', optionsTable);

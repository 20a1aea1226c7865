// What was changed, as it is told.

import type { JobState } from '../../machines/states.ts';

/** `controls`: of schedules, or of the paused names. */
export type Change = readonly [id: string, state: JobState] | 'controls';

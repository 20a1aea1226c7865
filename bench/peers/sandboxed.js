// The processor file that BullMQ runs in a child process of its own.

import { task } from './task.js';

/** @param {{ data: Parameters<typeof task>[0] }} job */
export default async ({ data }) => task(data);

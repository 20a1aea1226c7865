// The job commands, in the order in which help names them. Each adds itself: its options, its examples, what it does.

import type { Command } from 'commander';
import { addActs } from './acts.ts';
import type { Surroundings } from './command.ts';
import { addDoctor } from './doctor.ts';
import { addInspect } from './inspect.ts';
import { addList } from './list.ts';
import { addMigrate } from './migrate.ts';
import { addNodes } from './nodes.ts';
import { addShow } from './show.ts';
import { addStats } from './stats.ts';
import { addStuck } from './stuck.ts';
import { addSubmit } from './submit.ts';
import { addWork } from './work.ts';

export function addJobCommands(program: Command, surroundings: Surroundings): void {
  for (const add of [
    addWork,
    addSubmit,
    addList,
    addShow,
    addActs,
    addStuck,
    addNodes,
    addStats,
    addInspect,
    addMigrate,
    addDoctor,
  ])
    add(program, surroundings);
}

// `unstuck migrate`: the tables in PostgreSQL, set up or brought up to date before the version of unstuck that needs them is
// started, by a role that may; and what the role needs that the workers have.

import type { Command } from 'commander';
import { ConfigurationError } from '../../index.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { checkEngine, engineOption, isPostgres, shown } from './engineFile.ts';

export function addMigrate(program: Command, { ends }: Surroundings): void {
  program
    .command('migrate')
    .summary('set up the tables in PostgreSQL, or bring them up to date')
    .description(
      'Makes the schema that jobs are kept in, or brings it to the version of this unstuck; nothing where it is. Workers do that by ' +
        'themselves when they start, where their role may: with this it can be done ahead of them, by another.',
    )
    .addOption(engineOption())
    .option('--grants <role>', 'print the SQL that gives a role what it needs to run jobs, and do nothing')
    .addHelpText(
      'after',
      examples(
        'migrate --engine postgres://owner@db.example.com/app',
        'migrate --engine postgres://owner@db.example.com/app --grants worker | psql -d app',
      ) + endsWith('0', badInputLine),
    )
    .action(async ({ engine: name, grants: role }: { engine?: string; grants?: string }) => {
      const engine = checkEngine(name);
      if (!isPostgres(engine))
        throw new ConfigurationError(
          '--engine',
          'postgres://…',
          shown(engine),
          'A file is brought up to date when it is opened.',
        );
      const { grants, schemaOf, setUp } = await import('../../engines/postgres/setUp.ts');
      if (role !== undefined) console.log(grants(schemaOf(engine), role).join('\n'));
      else {
        const { from, to } = await setUp(engine);
        const schema = `schema ${schemaOf(engine)}`;
        if (from === to) console.log(`${schema} is up to date: version ${to}`);
        else console.log(`${schema}: ${from === 0 ? 'set up' : `from version ${from}`}, now version ${to}`);
      }
      ends(0);
    });
}

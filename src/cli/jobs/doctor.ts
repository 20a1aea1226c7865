// `unstuck doctor`: what is configured, and what of it works.

import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Command } from 'commander';
import { JobProcessor, type Jobs } from '../../index.ts';
import {
  attemptsSetting,
  environmentSettings,
  numberSettings,
  processorNumbers,
  resolveProcessorNumbers,
} from '../../runtime/settings.ts';
import { unstuckVersion } from '../../runtime/version.ts';
import { noLogger } from '../logger.ts';
import { countOf, formatCount } from '../printable.ts';
import { endsWith, examples, type Surroundings } from './command.ts';
import { checkEngine, checkIsThere, engineOption, fileOf, isPostgres, shown } from './engineFile.ts';
import { jsonOption, pageOf } from './output.ts';
import { table } from './table.ts';
import { webhooksOf } from './webhookTarget.ts';

interface Finding {
  readonly subject: string;
  /** `absent`: not there, and not needed for what works without. */
  readonly verdict: 'ok' | 'absent' | 'wrong';
  readonly found: string;
}

const marks = { ok: ['ok', 'green'], absent: ['-', 'dim'], wrong: ['wrong', 'red'] } as const;

export function addDoctor(program: Command, { ends }: Surroundings): void {
  program
    .command('doctor')
    .summary('say what is configured, and what of it works')
    .description(
      'Says which Node and which unstuck this is, what the environment sets, whether the file of the engine opens and answers, and ' +
        'which optional packages are there. Makes nothing.',
    )
    .addOption(engineOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('doctor', 'doctor --engine sqlite:jobs.db', 'doctor --json') +
        endsWith('0    nothing is wrong', '2    something is'),
    )
    .action(async ({ engine, json }: { engine?: string; json?: true }) => {
      const findings = [
        ...here(),
        ...environment(process.env),
        ...webhook(),
        ...(await engineOf(engine)),
        ...packages(),
      ];
      if (json === true) console.log(JSON.stringify(findings));
      else {
        const rows = findings.map(({ subject, verdict, found }) => [
          { text: marks[verdict][0], style: marks[verdict][1] },
          { text: subject },
          { text: found },
        ]);
        console.log(table([], rows, pageOf(process.stdout)).join('\n'));
      }
      ends(findings.some(({ verdict }) => verdict === 'wrong') ? 2 : 0);
    });
}

function here(): Finding[] {
  return [
    { subject: 'unstuck', verdict: 'ok', found: unstuckVersion() },
    { subject: 'node', verdict: 'ok', found: `${process.versions.node}, ${process.execPath}` },
    { subject: 'system', verdict: 'ok', found: `${process.platform} ${process.arch}` },
  ];
}

/** Those that are set; and those that look as if they were meant for us, and are not known. */
function environment(env: NodeJS.ProcessEnv): Finding[] {
  const known: string[] = [...numberSettings, attemptsSetting, ...processorNumbers].map(
    ({ variable }) => variable,
  );
  const set = Object.keys(env)
    .filter((name) => name.startsWith('RECONCILIATION_'))
    .sort();
  if (set.length === 0)
    return [{ subject: 'settings', verdict: 'ok', found: 'none in the environment: the defaults count' }];
  return set.map((subject): Finding => {
    if (!known.includes(subject))
      return {
        subject,
        verdict: 'wrong',
        found: `is not known, and without effect. Known: ${known.join(', ')}`,
      };
    try {
      environmentSettings({ [subject]: env[subject] });
      resolveProcessorNumbers({}, { [subject]: env[subject] });
      return { subject, verdict: 'ok', found: env[subject] as string };
    } catch (error) {
      return { subject, verdict: 'wrong', found: (error as Error).message.replace(`${subject}: `, '') };
    }
  });
}

function webhook(): Finding[] {
  const subject = 'webhook';
  try {
    const [target] = Object.values(webhooksOf({}, process.env).webhooks ?? {});
    if (target === undefined)
      return [{ subject, verdict: 'absent', found: 'none: --webhook or UNSTUCK_WEBHOOK_URL' }];
    // Of the address no more: with many services it is a secret.
    return [{ subject, verdict: 'ok', found: `${new URL(target.url).origin}, signed` }];
  } catch (error) {
    return [{ subject, verdict: 'wrong', found: (error as Error).message }];
  }
}

async function engineOf(name: string | undefined): Promise<Finding[]> {
  const subject = 'engine';
  if (name === undefined)
    return [{ subject, verdict: 'absent', found: 'none named: --engine or UNSTUCK_ENGINE' }];
  try {
    const engine = checkEngine(name);
    await checkIsThere(engine);
    const startedAt = performance.now();
    const processor = new JobProcessor<Jobs>({ engine, jobs: {}, logger: noLogger });
    const counts = await processor.counts().finally(() => processor.stop().catch(() => {}));
    const jobs = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const ms = Math.ceil(performance.now() - startedAt);
    const kilobytes = isPostgres(engine)
      ? ''
      : ` in ${formatCount(Math.ceil(statSync(fileOf(engine)).size / 1000))} kB`;
    return [
      { subject, verdict: 'ok', found: `${shown(engine)} answers: opened and counted in ${ms} ms` },
      {
        subject: 'jobs',
        verdict: 'ok',
        found: `${countOf(jobs, 'job')}${kilobytes}, ${formatCount(counts.running)} running`,
      },
    ];
  } catch (error) {
    return [{ subject, verdict: 'wrong', found: (error as Error).message }];
  }
}

function packages(): Finding[] {
  const uses = {
    pg: 'jobs in PostgreSQL need it',
    '@duckdb/node-api': 'unstuck reconcile needs it',
    '@statelyai/inspect': 'the Stately Inspector needs it',
    '@opentelemetry/exporter-prometheus': 'metrics for Prometheus need it',
    '@opentelemetry/sdk-metrics': 'metrics for Prometheus need it',
  };
  return Object.entries(uses).map(([subject, use]): Finding => {
    const version = versionOf(subject);
    return version === null
      ? { subject, verdict: 'absent', found: `not installed: ${use}` }
      : { subject, verdict: 'ok', found: version };
  });
}

/** Found as Node finds it from here, whether or not it exports its package.json. */
function versionOf(name: string): string | null {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return require(`${folder}/${name}/package.json`).version;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

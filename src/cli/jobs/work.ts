// `unstuck work`: a worker, until it is told to stop. Its log is what it prints.

import type { Command } from 'commander';
import { type Inspector, JobProcessor, type Jobs, type ProcessorOptions } from '../../index.ts';
import { formatDuration } from '../durations.ts';
import type { Interruption } from '../interruption.ts';
import { livePage } from '../livePage.ts';
import { createServiceLogger } from '../logger.ts';
import { metricsPort, openMetrics } from '../metricsEndpoint.ts';
import { type Address, parseAddress, parsePort } from '../options.ts';
import { countOf } from '../printable.ts';
import { parseCount, parseGrace, parseNodeName } from './arguments.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { checkEngine, type EngineName, engineOption, shown } from './engineFile.ts';
import { loadRegistry } from './registry.ts';
import { addWebhookOptions, type WebhookFlags, webhooksOf } from './webhookTarget.ts';

interface Options extends WebhookFlags {
  engine?: string;
  nodeName?: string;
  concurrency?: number;
  grace: number;
  inspect?: number | true;
  metrics?: Address | true;
}

export function addWork(program: Command, { interruption, ends, appImported }: Surroundings): void {
  const command = program
    .command('work')
    .summary('run jobs, until told to stop')
    .description(
      'Runs the jobs of a module, until told to stop. SIGTERM or Ctrl-C: it claims nothing more, lets what runs go on for the ' +
        'grace, stops the rest, and hands it back to the queue with its checkpoint and without using up its attempt. The ' +
        'second signal stops at once.',
    )
    .argument('<module>', 'the module that exports the jobs by name, as `jobs` or by default; TypeScript too')
    .addOption(engineOption())
    .option(
      '--node-name <name>',
      'what this worker is called (default: host name and process id)',
      parseNodeName,
    )
    .option('-c, --concurrency <n>', 'jobs at once (default: 10)', parseCount)
    .option('--grace <time>', 'for what runs when told to stop', parseGrace, 30)
    .option('--inspect [port]', 'serve the live page, on this machine (default: a free port)', parsePort)
    .option(
      '--metrics [address]',
      `serve metrics to Prometheus (default: port ${metricsPort}, to this machine)`,
      parseAddress,
    );
  addWebhookOptions(command)
    .addHelpText('after', details)
    .action(async (module: string, options: Options) => {
      const engine = checkEngine(options.engine);
      const { webhooks } = webhooksOf(options, process.env);
      appImported();
      await work(engine, await loadRegistry(module), { ...options, webhooks }, interruption);
      ends(0);
    });
}

async function work(
  engine: EngineName,
  jobs: Jobs,
  {
    nodeName,
    concurrency,
    grace,
    inspect,
    metrics,
    webhooks,
  }: Options & Pick<ProcessorOptions<Jobs>, 'webhooks'>,
  interruption: Interruption,
): Promise<void> {
  const logger = createServiceLogger(process.stdout);
  const endpoint =
    metrics === undefined
      ? null
      : await openMetrics(metrics === true ? { host: '127.0.0.1', port: metricsPort } : metrics);
  const processor = new JobProcessor({
    engine,
    jobs,
    logger,
    webhooks,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(concurrency === undefined ? {} : { maxConcurrentJobs: concurrency }),
    ...(endpoint === null ? {} : { telemetry: endpoint.telemetry }),
  });
  let inspector: Inspector | null = null;
  try {
    if (inspect !== undefined)
      inspector = await livePage(processor, inspect === true ? 0 : inspect, '--inspect', {
        metrics: endpoint !== null,
      });
    if (endpoint !== null) logger.info({ url: endpoint.url }, `metrics: ${endpoint.url}`);
    await processor.start();
    const names = Object.keys(jobs).join(', ');
    logger.info(
      `working on ${shown(engine)} as ${processor.nodeName}, ${countOf(processor.maxConcurrentJobs, 'job')} at once: ${names}`,
    );
    await interruption.untilAsked();
    const { size } = processor.activeJobs;
    const rest =
      size === 0
        ? ''
        : `, ${countOf(size, 'job')} may go on for ${formatDuration(grace)}; once more to stop at once`;
    logger.info(`told to stop: nothing more is claimed${rest}`);
    let handedBack = 0;
    processor.on('queued', () => {
      handedBack += 1;
    });
    await processor.drain({ graceSeconds: grace });
    await processor.stop();
    logger.info(`stopped: ${countOf(handedBack, 'job')} handed back`);
  } finally {
    await inspector?.close();
    await processor.stop();
    await endpoint?.close();
  }
}

const details = `
--metrics answers GET /metrics, on http://127.0.0.1:9464 unless told otherwise. Other hosts reach it where it is told an address
of this machine to listen on: --metrics 0.0.0.0:9464 is all of them. It wants no token: names and counts are all that it tells. It
needs: npm install @opentelemetry/exporter-prometheus @opentelemetry/sdk-metrics. With --inspect the page has /metrics as well.

--webhook tells a server of yours of what goes wrong, by Standard Webhooks, signed with UNSTUCK_WEBHOOK_SECRET (made with: openssl rand
-base64 32). What \`unstuck timeout\` and \`unstuck cancel\` end is told too where UNSTUCK_WEBHOOK_URL is set for them.

The log is JSON, one object a line, on standard output; on a terminal it is for people.
${examples(
  'work ./jobs.js --engine sqlite:jobs.db',
  'work ./jobs.ts --concurrency 4 --grace 10s',
  'work ./jobs.js --inspect 4000',
  'work ./jobs.js --metrics',
  'work ./jobs.js --webhook https://ops.example/hooks',
  "work ./jobs.js | jq 'select(.level >= 40)'",
)}

jobs.js:
  import invoices from './invoices.js'; // export default defineJob({ module: import.meta.url, … })
  export const jobs = { invoices };
${endsWith(
  '0    told to stop, and stopped cleanly',
  badInputLine,
  '130  after the second Ctrl-C, 143 after the second SIGTERM: its jobs go on in the next worker',
)}`;

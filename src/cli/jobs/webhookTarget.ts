// The one target of notifications that the command line has: an address, and a secret that stands in the environment alone,
// where other users of the machine do not see it.

import { type Command, Option } from 'commander';
import { ConfigurationError, type WebhookOptions } from '../../index.ts';
import { notificationEvents } from '../../runtime/webhooks/notification.ts';
import { checkTargets } from '../../runtime/webhooks/targets.ts';

export interface WebhookFlags {
  webhook?: string;
  webhookEvents?: string;
}

const variables = {
  url: 'UNSTUCK_WEBHOOK_URL',
  events: 'UNSTUCK_WEBHOOK_EVENTS',
  secret: 'UNSTUCK_WEBHOOK_SECRET',
} as const;
/** Its jobs are called unstuck.webhook.cli. */
const name = 'cli';

export function addWebhookOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--webhook <url>', 'where failures and timeouts are told; needs UNSTUCK_WEBHOOK_SECRET').env(
        variables.url,
      ),
    )
    .addOption(
      new Option(
        '--webhook-events <list>',
        `some of ${notificationEvents.join(', ')} (default: failed,timedOut,unconfirmed,queueTooOld)`,
      ).env(variables.events),
    );
}

/** As the option `webhooks` takes it. Throws ConfigurationError, which names the flag or the variable. */
export function webhooksOf(
  flags: WebhookFlags,
  environment: NodeJS.ProcessEnv,
): { webhooks?: Record<string, WebhookOptions> } {
  const { webhook = environment[variables.url], webhookEvents = environment[variables.events] } = flags;
  const events = listOf(webhookEvents);
  if (webhook === undefined || webhook === '') {
    if (events.length === 0) return {};
    throw new ConfigurationError(variables.url, `an address, for ${variables.events} is set`, 'none');
  }
  const target: WebhookOptions = {
    url: webhook,
    secret: listOf(environment[variables.secret]),
    ...(events.length === 0 ? {} : { events: events as WebhookOptions['events'] & {} }),
  };
  try {
    checkTargets({ [name]: target }, []);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const field = error.field.slice(`webhooks.${name}.`.length) as keyof typeof variables;
    throw new ConfigurationError(variables[field], error.expected, error.got, adviceOn[field]);
  }
  return { webhooks: { [name]: target } };
}

function listOf(text = ''): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

const adviceOn: Partial<Record<keyof typeof variables, string>> = {
  secret: `Set it to one, made with: openssl rand -base64 32`,
};

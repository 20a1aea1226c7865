// `unstuck nodes`: the processors at work on an engine, on whichever machine: which runs what, and which are gone.

import type { Command } from 'commander';
import type { NodeStatus } from '../../index.ts';
import { formatCount } from '../printable.ts';
import type { Style } from '../screen.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { engineOption, withEngine } from './engineFile.ts';
import { ago } from './jobWords.ts';
import { jsonOption, type OutputOptions, type Page, show, type View, watchOption } from './output.ts';
import { type Cell, table } from './table.ts';

const styles: Record<NodeStatus['state'], Style> = { running: 'cyan', draining: 'yellow', gone: 'red' };

export function addNodes(program: Command, { interruption, ends }: Surroundings): void {
  program
    .command('nodes')
    .summary('list the processors at work: which node runs what, and which are gone')
    .description(
      'Lists the nodes of an engine: the processors at work on it, on whichever machine. Each tells of itself every few seconds. One ' +
        'that stops takes itself out; one that ended without a word is gone, and stays in the list for a day.',
    )
    .addOption(engineOption())
    .addOption(jsonOption())
    .addOption(watchOption())
    .addHelpText('after', details)
    .action(async ({ engine, ...output }: OutputOptions & { engine?: string }) =>
      ends(
        await withEngine(engine, (processor) =>
          show(async () => nodesView(await processor.nodes()), output, interruption),
        ),
      ),
    );
}

function nodesView(nodes: readonly NodeStatus[]): View {
  return {
    picture: (page) => nodeTable(nodes, page),
    news: () =>
      new Map(
        nodes.map((node) => [
          node.id,
          [node.name, node.state, slotsOf(node), runningOf(node), noteOf(node)]
            .filter((part) => part !== '')
            .join('  '),
        ]),
      ),
    json: nodes,
    isOver: false,
  };
}

function nodeTable(nodes: readonly NodeStatus[], page: Page): string[] {
  if (nodes.length === 0) return ['No node: nothing is at work on this engine.'];
  const rows = nodes.map((node): Cell[] => [
    { text: node.name },
    { text: node.state, style: styles[node.state] },
    { text: ago(node.lastSeen) },
    { text: slotsOf(node) },
    { text: runningOf(node) },
    { text: noteOf(node), style: 'dim' },
  ]);
  return table(['NODE', 'STATE', 'SEEN', 'SLOTS', 'RUNS', ''], rows, page);
}

function slotsOf({ slots: { max, used, unconfirmed } }: NodeStatus): string {
  return `${formatCount(used + unconfirmed)}/${formatCount(max)}`;
}

function runningOf({ running }: NodeStatus): string {
  return running.map(({ name, jobs }) => `${name} ${formatCount(jobs)}`).join(', ');
}

/** What is wrong with it, or was. */
function noteOf({ state, health, lastFailure, running }: NodeStatus): string {
  return [
    ...(state === 'gone' && running.length > 0 ? ['the next worker takes its jobs over'] : []),
    ...(state !== 'gone' && health.status !== 'ok' ? [health.status] : []),
    ...(state === 'gone' ? [] : health.reasons),
    ...(lastFailure === null ? [] : [`its engine failed ${ago(lastFailure.at)}: ${lastFailure.message}`]),
  ].join('; ');
}

const details = `${examples(
  'nodes --engine postgres://user@host/database',
  'nodes --watch',
  'nodes --json | jq -r \'.[] | select(.state == "gone") | .name\'',
)}

SLOTS are those that it holds, of all it has, as it last told; RUNS are the attempts that are its own by what is stored. Which
jobs those are: unstuck list --state running has the node of each.
${endsWith('0', badInputLine)}`;

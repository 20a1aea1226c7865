// A machine as text that people and Markdown viewers read: a Mermaid state diagram and a table of its
// transitions. Made from the machine itself, so that it cannot say anything else.

import type { AnyStateMachine, AnyStateNode } from 'xstate';

interface Arrow {
  from: string;
  to: string;
  label: string;
  guard: string;
  actions: string;
}

const nameOf = (node: AnyStateNode) => node.path.join('_');
const children = (node: AnyStateNode) => Object.values(node.states) as AnyStateNode[];

function arrowsOf(node: AnyStateNode): Arrow[] {
  const own = [...node.transitions.values()].flat();
  const eventless = node.always ?? [];
  const arrows = [...own, ...eventless]
    .filter(({ target, actions }) => target !== undefined || actions.length > 0)
    .flatMap(({ eventType, target, guard, actions }) =>
      // Without a target it stays where it is, and does something.
      (target ?? [node]).map((to) => ({
        from: nameOf(node),
        to: nameOf(to as AnyStateNode),
        label: labelOf(String(eventType)),
        guard: named(guard),
        actions: actions.map(named).join(', '),
      })),
    );
  return [...arrows, ...children(node).flatMap(arrowsOf)];
}

function labelOf(eventType: string): string {
  const delay = /^xstate\.after\.([^.]+)\./.exec(eventType)?.[1];
  if (delay !== undefined) return `after ${delay}`;
  return eventType === '' ? 'always' : eventType;
}

/** A guard or an action: by name, or by name and parameters. */
function named(what: unknown): string {
  if (typeof what === 'string') return what;
  const { type, params } = (what ?? {}) as { type?: string; params?: Record<string, unknown> };
  if (type === undefined) return '';
  return params === undefined ? type : `${type} ${Object.values(params).join(' ')}`;
}

function body(node: AnyStateNode, indent: string): string[] {
  const lines: string[] = [];
  if (node.initial !== undefined && node.type === 'compound') {
    lines.push(`${indent}[*] --> ${nameOf(node.initial.target[0] as AnyStateNode)}`);
  }
  children(node).forEach((child, index) => {
    if (node.type === 'parallel' && index > 0) lines.push(`${indent}--`);
    if (children(child).length > 0) {
      lines.push(
        `${indent}state "${child.key}" as ${nameOf(child)} {`,
        ...body(child, `${indent}  `),
        `${indent}}`,
      );
    } else lines.push(`${indent}${nameOf(child)} : ${child.key}`);
    if (child.type === 'final') lines.push(`${indent}${nameOf(child)} --> [*]`);
  });
  return lines;
}

/** Arrows between two states are drawn once, with all that causes them. */
export function chartDiagram(machine: AnyStateMachine): string {
  const labels = new Map<string, string[]>();
  for (const { from, to, label } of arrowsOf(machine.root)) {
    const pair = `${from} --> ${to}`;
    const known = labels.get(pair) ?? [];
    if (!known.includes(label)) labels.set(pair, [...known, label]);
  }
  const arrows = [...labels].map(([pair, causes]) => `  ${pair} : ${causes.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', ...body(machine.root, '  '), ...arrows, '```'].join('\n');
}

export function chartTable(machine: AnyStateMachine): string {
  const rows = arrowsOf(machine.root).map(
    ({ from, to, label, guard, actions }) =>
      `| ${from.replaceAll('_', '.')} | ${label} | ${guard} | ${to.replaceAll('_', '.')} | ${actions} |`,
  );
  return ['| in | on | if | to | does |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

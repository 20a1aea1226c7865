// A machine as text that people and Markdown viewers read: a Mermaid state diagram and a table of its
// transitions. Made from the machine itself, so that it cannot say anything else.

import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { arrowsOf, childrenOf, idOf } from '../src/inspector/chartGraph.ts';

function body(node: AnyStateNode, indent: string): string[] {
  const lines: string[] = [];
  if (node.initial !== undefined && node.type === 'compound') {
    lines.push(`${indent}[*] --> ${idOf(node.initial.target[0] as AnyStateNode)}`);
  }
  childrenOf(node).forEach((child, index) => {
    if (node.type === 'parallel' && index > 0) lines.push(`${indent}--`);
    if (childrenOf(child).length > 0) {
      lines.push(
        `${indent}state "${child.key}" as ${idOf(child)} {`,
        ...body(child, `${indent}  `),
        `${indent}}`,
      );
    } else lines.push(`${indent}${idOf(child)} : ${child.key}`);
    if (child.type === 'final') lines.push(`${indent}${idOf(child)} --> [*]`);
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

// Where the states and arrows of a machine are drawn: laid out once, by dagre.

import { Graph, layout } from '@dagrejs/dagre';
import type { AnyStateMachine } from 'xstate';
import { arrowsOf, nodesOf } from './chartGraph.ts';

/** In CSS pixels. `x` and `y` are of the upper left corner. */
export interface DrawnState {
  readonly id: string;
  readonly name: string;
  readonly parent: string | null;
  readonly isFinal: boolean;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface DrawnArrow {
  readonly from: string;
  readonly to: string;
  /** What causes it. */
  readonly labels: readonly string[];
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface DrawnChart {
  /** What has to be seen: `x y width height`, as SVG's viewBox takes it. */
  readonly viewBox: string;
  readonly states: readonly DrawnState[];
  readonly arrows: readonly DrawnArrow[];
}

const stateHeight = 40;
const margin = 16;

export function layOut(machine: AnyStateMachine): DrawnChart {
  const graph = new Graph({ compound: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 26, ranksep: 34, marginx: margin, marginy: margin });
  graph.setDefaultEdgeLabel(() => ({}));
  const nodes = nodesOf(machine);
  const groups = new Set(nodes.map(({ parent }) => parent));
  for (const { id, name } of nodes) graph.setNode(id, { width: 40 + name.length * 8, height: stateHeight });
  for (const { id, parent } of nodes) if (parent !== null) graph.setParent(id, parent);
  // dagre draws no arrow to a group: it goes to the first of what is in it.
  const firstIn = (id: string): string => {
    const child = nodes.find(({ parent }) => parent === id);
    return groups.has(id) && child !== undefined ? firstIn(child.id) : id;
  };
  const arrows = new Map<string, { from: string; to: string; labels: string[] }>();
  for (const { from, to, label } of arrowsOf(machine.root)) {
    if (from === to) continue;
    const key = `${from} ${to}`;
    const known = arrows.get(key) ?? { from, to, labels: [] };
    if (!known.labels.includes(label)) known.labels.push(label);
    arrows.set(key, known);
    if (firstIn(from) !== firstIn(to)) graph.setEdge(firstIn(from), firstIn(to));
  }
  layout(graph);
  const states = nodes.map(({ id, name, parent, isFinal }) => {
    const { x, y, width, height } = graph.node(id) as { x: number; y: number; width: number; height: number };
    return { id, name, parent, isFinal, x: x - width / 2, y: y - height / 2, width, height };
  });
  const drawn = [...arrows.values()].map(({ from, to, labels }) => {
    const edge = graph.edge(firstIn(from), firstIn(to)) as
      | { points?: { x: number; y: number }[] }
      | undefined;
    return { from, to, labels, points: edge?.points ?? [] };
  });
  return { viewBox: boxOf(states, drawn), states, arrows: drawn };
}

/** Arrows may bend beyond all states. */
function boxOf(states: readonly DrawnState[], arrows: readonly DrawnArrow[]): string {
  const points = arrows.flatMap((arrow) => arrow.points);
  const xs = [...states.flatMap(({ x, width }) => [x, x + width]), ...points.map(({ x }) => x)];
  const ys = [...states.flatMap(({ y, height }) => [y, y + height]), ...points.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs) - margin, Math.min(...ys) - margin];
  return [left, top, Math.max(...xs) + margin - left, Math.max(...ys) + margin - top]
    .map(Math.round)
    .join(' ');
}

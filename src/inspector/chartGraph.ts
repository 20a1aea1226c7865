// A machine as a graph: its states, one inside another, and the arrows between them. Made from the machine itself, so
// that what is drawn of it cannot say anything else.

import type { AnyStateMachine, AnyStateNode } from 'xstate';

export interface ChartNode {
  readonly id: string;
  readonly name: string;
  /** Null: of the machine itself. */
  readonly parent: string | null;
  readonly isFinal: boolean;
}

export interface ChartArrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly guard: string;
  readonly actions: string;
}

export const idOf = (node: AnyStateNode) => node.path.join('_');
export const childrenOf = (node: AnyStateNode) => Object.values(node.states) as AnyStateNode[];

export function nodesOf(machine: AnyStateMachine): ChartNode[] {
  const below = (node: AnyStateNode, parent: string | null): ChartNode[] =>
    childrenOf(node).flatMap((child) => [
      { id: idOf(child), name: child.key, parent, isFinal: child.type === 'final' },
      ...below(child, idOf(child)),
    ]);
  return below(machine.root, null);
}

export function arrowsOf(node: AnyStateNode): ChartArrow[] {
  const own = [...node.transitions.values()].flat();
  const eventless = node.always ?? [];
  const arrows = [...own, ...eventless]
    .filter(({ target, actions }) => target !== undefined || actions.length > 0)
    .flatMap(({ eventType, target, guard, actions }) =>
      // Without a target it stays where it is, and does something.
      (target ?? [node]).map((to) => ({
        from: idOf(node),
        to: idOf(to as AnyStateNode),
        label: labelOf(String(eventType)),
        guard: named(guard),
        actions: actions.map(named).join(', '),
      })),
    );
  return [...arrows, ...childrenOf(node).flatMap(arrowsOf)];
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

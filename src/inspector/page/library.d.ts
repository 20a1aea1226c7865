// What the page uses of htm/preact/standalone, which the server serves as library.js. htm's own types lean on the package
// preact, which is not installed: the standalone file holds it.

/** A piece of the page, as `html` makes it and `render` takes it. */
export interface View {
  readonly type: unknown;
  readonly props: object;
}

/** Values are anything that can stand in markup: text, attributes, handlers, components, views. Their kinds are not checked. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): View;
export function render(view: View, parent: Element): void;

export function useState<T>(initial: T): [state: T, set: (next: T | ((before: T) => T)) => void];
/** `inputs`: runs again when one of them has changed. What it returns ends it. */
export function useEffect(effect: () => (() => void) | undefined, inputs: readonly unknown[]): void;
export function useRef<T>(initial: T): { current: T };

// An engine whose code is loaded when it is opened: apps that keep their jobs elsewhere, and every child that loads the library, do
// not pay for it.

import type { Clock } from './clock.ts';
import type { Engine } from './engine.ts';

/** `load` is called once, at the first `open`. Before that the engine has these facts of it, and nothing else. */
export function lateEngine(
  facts: Pick<Engine, 'name' | 'spansMachines'>,
  load: () => Promise<Engine>,
): Engine {
  let loading: Promise<Engine> | null = null;
  let loaded: Engine | null = null;
  const known = {
    ...facts,
    async open(clock: Clock) {
      loading ??= load();
      loaded = await loading;
      await loaded.open(clock);
    },
  };
  return new Proxy(known as Engine, {
    get(_, property) {
      if (property in known) return known[property as keyof typeof known];
      const value = loaded?.[property as keyof Engine] as unknown;
      return typeof value === 'function' ? value.bind(loaded) : value;
    },
  });
}

// Threads one by one, really started. Nothing here waits for longer than a thread takes to start or end.

import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startThread } from '../../src/actors/isolation/threadChild.ts';
import { jobOf, LiveChild, noLimits } from './liveChild.ts';

const begin = (module: string, stays = false) => new LiveChild(startThread()).start(module, stays);
const printed = ({ said }: LiveChild) =>
  said.flatMap((message) => (message.type === 'output' ? [`${message.stream}: ${message.line}`] : []));

/** The threads of this process. */
const tasks = () => readdirSync('/proc/self/task');

test('what a job prints is a message of its attempt, however it prints', async () => {
  const live = begin(
    jobOf(`
      const { stdout, stderr } = process;
      console.log('a line');
      stderr.write('of text\\n');
      stdout.write(Buffer.from('of bytes\\n'));
      await new Promise((resolve) => stdout.write('open', resolve));
      return 7;
    `),
  );
  expect(await live.says('completed')).toEqual({ type: 'completed', result: '7', stays: false });
  expect(await live.ended).toEqual({ exitCode: 0 });
  expect(printed(live)).toEqual(['stdout: a line', 'stderr: of text', 'stdout: of bytes', 'stdout: open']);
});

test('what its job did not catch fails its attempt', async () => {
  const live = begin(
    jobOf('setTimeout(() => { throw new Error("from a timer"); }); await new Promise(() => {})'),
  );
  expect(await live.says('failed')).toMatchObject({ failure: { message: 'from a timer' } });
  expect(await live.ended).toEqual({ exitCode: 1 });
});

test('an error that nobody in it could catch is told with its end', async () => {
  const live = begin(
    jobOf(`
      process.removeAllListeners('uncaughtException');
      setTimeout(() => { throw new RangeError('from a timer'); });
      await new Promise(() => {});
    `),
  );
  expect(await live.ended).toMatchObject({
    exitCode: 1,
    failure: { name: 'RangeError', message: 'from a timer' },
  });
});

test('what it said before its end is heard before its end, though the host was busy meanwhile', async () => {
  // More than the host reads at once.
  const lines = 5000;
  const others = tasks();
  const live = begin(
    jobOf(`
      for (let line = 0; line < ${lines}; line += 1) process.stdout.write(line + '\\n');
      return 7;
    `),
  );
  await live.says('heartbeat');
  // Until the kernel has it no more: its end and its words are then there together.
  const itsOwn = tasks().filter((task) => !others.includes(task));
  while (itsOwn.every((task) => tasks().includes(task)));
  await live.ended;
  expect(printed(live)).toHaveLength(lines);
  expect(live.said.at(-1)).toMatchObject({ type: 'completed' });
});

test('it can be ended in a loop; whoever listens after that hears how it ended', async () => {
  const live = begin(jobOf('for (;;) {}'));
  await live.says('heartbeat');
  const { child } = live;
  child.watch(noLimits);
  child.rewatch(noLimits);
  child.endBy(0);
  child.hold(false);
  child.hold(true);
  child.terminate();
  const exit = await live.ended;
  expect(exit).toEqual({ exitCode: 1 });
  expect(await new LiveChild(child).ended).toEqual(exit);
});

test('it is asked as a process is', async () => {
  const live = begin(
    jobOf(
      'return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason.message)))',
    ),
  );
  await live.says('heartbeat');
  live.child.post({ type: 'ask', reason: 'cancel' });
  expect(await live.says('completed')).toMatchObject({ result: '"cancel"' });
  await live.ended;
});

test('one that stays is clean, and runs the next attempt', async () => {
  const live = begin(jobOf('return 7'), true);
  await live.says('completed');
  expect(live.child.isClean()).toBe(true);
  const next = new LiveChild(live.child).start(jobOf('return 8'));
  expect(await next.says('completed')).toMatchObject({ result: '8' });
  await next.ended;
});

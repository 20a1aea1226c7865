// What is said of how far a run is: a percentage from the first bytes that were read, then chunks, the time left and the rows a second.

import { expect, test, vi } from 'vitest';
import { createProgress } from '../../src/cli/progress.ts';
import type { Screen } from '../../src/cli/screen.ts';
import type { JobStatus } from '../../src/index.ts';

test('the reading has a percentage and a time left, the comparison rows a second too', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  try {
    const lines: string[] = [];
    const screen = { isTerminal: false, write: (line: string) => lines.push(line), clear() {} };
    const progress = createProgress(screen as unknown as Screen);
    const update = (items: number) =>
      progress.update({ progress: { items, total: 32, chunks: items } } as unknown as JobStatus);
    progress.begin('reading a and b', async () => 1_600_000);
    vi.advanceTimersByTime(1000);
    update(1);
    vi.advanceTimersByTime(1000);
    update(6);
    vi.advanceTimersByTime(4000);
    expect(lines.at(-1)).toBe('reading a and b  18 %  6 s, about 26 s left');
    vi.advanceTimersByTime(4000);
    update(16);
    await Promise.resolve();
    vi.advanceTimersByTime(4000);
    update(24);
    expect(lines.at(-1)).toBe('8 of 16 chunks  75 %  14 s, 200,000 rows a second, about 4 s left');
    progress.end();
  } finally {
    vi.useRealTimers();
  }
});

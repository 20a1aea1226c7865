// `npm start` as a pipe sees it: it ends with 0 only if every hang was noticed, stopped and recovered from. README.md shows
// some of it.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root, run } from './commandLine.ts';

test('the demo ends with 0 and tells what it promised', async () => {
  const { code, stdout, stderr } = await run([], {
    cwd: root,
    main: join(root, 'examples/reconcile/demo.ts'),
  });
  const [, folder] = /Reports: (reconciled\/demo-\S+)/.exec(stdout) ?? [];
  onTestFinished(() => {
    if (folder !== undefined) rmSync(join(root, folder), { recursive: true });
  });
  expect(code, stdout).toBe(0);
  expect(stdout).toContain('The files differ.');
  expect(stdout).toMatch(/no sign of life for .* \(heartbeat timeout\)/);
  expect(stdout).toMatch(/alive, but no chunk done for .* \(progress timeout\)/);
  expect(stdout.match(/its process is gone/g)).toHaveLength(2);
  expect(stdout.match(/attempt 2, after chunk 8 of 16/g)).toHaveLength(2);
  expect(stdout.match(/The same summary as before/g)).toHaveLength(2);
  expect(stdout).toContain('Nothing got stuck: 3 runs, 2 hangs, ');
  expect(stderr).toBe('');
}, 90_000);

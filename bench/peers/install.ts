// The other job systems are installed when they are first measured, so that a fresh clone stays light.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

export function ensurePeers(): void {
  if (existsSync(`${folder}node_modules`)) return;
  console.error('bench: installing the job systems to measure beside ours (npm ci --prefix bench), once');
  const { status } = spawnSync('npm', ['ci', '--prefix', folder], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm ci --prefix bench failed, see above');
}

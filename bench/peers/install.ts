// The other job systems are installed when they are first measured, or shown in docs, so that a fresh clone stays light.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

export function ensurePeers(): void {
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  if (Object.keys(dependencies).every((name) => existsSync(`${folder}node_modules/${name}`))) return;
  console.error('installing the job systems that stand beside ours (npm ci --prefix bench), once');
  const { status } = spawnSync('npm', ['ci', '--prefix', folder], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm ci --prefix bench failed, see above');
}

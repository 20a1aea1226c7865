// What other job systems do with a job that hangs past one second, as seen from outside: a row for each of them
// and each hang. Needs their servers on 127.0.0.1; where one is missing its rows say so.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { HangName } from '../../test/faults/hangs.ts';
import { ensurePeers } from './install.ts';
import { type Peer, watchTrial } from './trial.ts';

const peers: readonly Peer[] = [
  { name: 'BullMQ', module: './bullmq.js', port: 6379 },
  { name: 'BullMQ, sandboxed', module: './bullmq.js', variant: 'sandboxed', port: 6379 },
  { name: 'pg-boss', module: './pgBoss.js', port: 5432 },
  { name: 'graphile-worker', module: './graphileWorker.js', port: 5432 },
];
const hangNames: readonly HangName[] = ['neverSettles', 'endlessLoop', 'spawnSync'];
/** A loop takes a core for itself: few at once, and neighbours in the list hang differently. */
const atOnce = 4;

type Row = Record<string, string | number>;

export async function peerRows(options: {
  quick: boolean;
  progress(line: string): void;
}): Promise<Record<string, string | number>[]> {
  ensurePeers();
  const windowMs = options.quick ? 4000 : 8000;
  const trials = peers.flatMap((peer) => hangNames.map((hang) => ({ peer, hang })));
  const rows: Row[] = [];
  const left = trials.map((trial, index) => ({ ...trial, index }));
  const space = `unstuck_bench_${process.pid}_${Date.now().toString(36)}`;
  const run = async () => {
    for (let trial = left.shift(); trial !== undefined; trial = left.shift()) {
      const { peer, hang, index } = trial;
      options.progress(`${peer.name}: ${hang}, ${trials.length - left.length} of ${trials.length}`);
      rows[index] = (await isListening(peer.port))
        ? await watchTrial(peer, hang, windowMs, `${space}_${index}`)
        : { peer: peer.name, hang, says: `not measured: nothing listens on 127.0.0.1:${peer.port}` };
    }
  };
  // Their groups are not ours: they would outlive an interrupt.
  const interrupted = () => process.exit(130);
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const runs = await Promise.allSettled(Array.from({ length: atOnce }, run));
    for (const outcome of runs) if (outcome.status === 'rejected') throw outcome.reason;
    return rows;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

// A hang with nothing around it, in a process or a thread: what a bare kill or terminate() has to end.

import { parentPort, workerData } from 'node:worker_threads';
import { type HangName, hangs } from '../test/faults/hangs.ts';

const say = () => (parentPort === null ? process.send?.('hanging') : parentPort.postMessage('hanging'));
hangs[(workerData ?? process.argv[2]) as HangName](say);
setInterval(() => {}, 1000);

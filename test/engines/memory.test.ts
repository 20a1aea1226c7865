import { MemoryEngine } from '../../src/engines/memory.ts';
import { engineContract } from './contract.ts';
import { limitsContract } from './limitsContract.ts';

engineContract('memory', () => new MemoryEngine());
limitsContract('memory', () => new MemoryEngine(), 200);

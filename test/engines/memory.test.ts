import { MemoryEngine } from '../../src/engines/memory.ts';
import { engineContract } from './contract.ts';

engineContract('memory', () => new MemoryEngine());

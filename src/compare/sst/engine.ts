/** The interpreter with the memory that the SST tests need. */
import { InterpVcpu } from '../../vmm/cpu/interp.js';
import { GuestMemory } from '../../vmm/memory.js';
import { SST_RAM, SstRunner } from './runner.js';

/** A runner on an interpreter of its own. */
export async function createSstRunner(): Promise<SstRunner> {
  const memory = new GuestMemory({ ramSize: SST_RAM });
  return new SstRunner(memory, new InterpVcpu(memory));
}

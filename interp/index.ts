/** What the host calls (src/vmm/cpu/interp.ts). */
import { clearJumps, flushBlocks, invalidateCode } from './block';
import { initializeChain } from './chain';
import { refreshDebug } from './debug';
import { initializeDecoder } from './decode';
import { refreshVendor } from './execute/vendor';
import { executeHidden, hideAll, refreshFeatures } from './features';
import { initializeHandlers } from './generated/opcodes';
import { ioPending } from './io';
import { flushTlb } from './memory';
import { refreshAll } from './mode';
import { refreshPaging } from './paging';
import { armWrites } from './tlb';
import { distrustCode } from './trust';

export { afterUnwind, forgetInstruction, isUnfinished, resume, run, setUnfinished, settleLandmark } from './run';
export { decodeProbe, executeProbe, faultVector, unwindKind } from './probe';
export { hashCpu, pass, seek } from './seek';
export { tlbGeneration } from './tlb';
export { forgetUnhookedSites, noteUnhookedSite } from './unhooked';
export { armWrites, distrustCode, executeHidden, hideAll, invalidateCode, ioPending };

/** Once, before anything else. */
export function initialize(): void {
  initializeChain();
  initializeDecoder();
  initializeHandlers();
  flushBlocks();
  clearJumps();
}

/** The host changed the state, or the CPUID table. */
export function stateChanged(): void {
  flushTlb();
  refreshVendor();
  if (refreshFeatures()) flushBlocks();
  refreshPaging();
  refreshAll();
  refreshDebug();
}

/** The host forgot which pages were walked: the next walk is to be seen again. */
export function forgetTranslations(): void {
  flushTlb();
}

/** What a CPU replay answers hooked instructions from: nothing, as their answers are in the trace. */
import { AssertionError } from '../base/assert.js';
import type { HookSources } from '../vmm/hooks/perform.js';

/** See the head of the file. */
export const noSources: HookSources = {
  timestamp: neverAsked,
  timestampAux: neverAsked,
  random: neverAsked,
  cpuid: neverAsked,
};

function neverAsked(): never {
  throw new AssertionError('vmtape bug: a CPU replay takes the answers of hooks from the trace');
}

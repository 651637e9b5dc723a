/** `--cpu vmtape64,+aes,-smap`: the model, features that it has as options, and features of it that the guest shall not see. */
import { MODEL_FEATURES, MODEL_NEEDED, MODEL_OPTIONS } from '../vmm/cpu/cpuid.js';
import { usageError } from './values.js';

/** The choice. */
export interface CpuChoice {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** The model as it is. */
export const PLAIN_MODEL: CpuChoice = { added: [], removed: [] };

const MODEL = 'vmtape64';
/** Names that people know a feature by, and what Linux calls it in /proc/cpuinfo. */
const ALIASES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    lzcnt: 'abm',
    prefetchw: '3dnowprefetch',
    sha: 'sha_ni',
    pclmul: 'pclmulqdq',
    'sse4.1': 'sse4_1',
    'sse4.2': 'sse4_2',
  }),
);

/** Reads --cpu. Throws VMTAPE_USAGE with what is wrong and what there is. */
export function parseCpu(text: string): CpuChoice {
  const [model, ...changes] = text.toLowerCase().split(',');
  if (model !== MODEL) throw usageError(`--cpu ${text} is not known`, `it is ${MODEL}, or ${MODEL},+FEATURE,-FEATURE`);
  const added = new Set<string>();
  const removed = new Set<string>();
  for (const change of changes) {
    const sign = change[0];
    const given = change.slice(1).trim();
    const name = ALIASES.get(given) ?? given;
    if (sign !== '+' && sign !== '-')
      throw usageError(`--cpu ${text}: ${change === '' ? 'nothing' : change} has no + or - before it`);
    checkFeature(sign, given, name);
    (sign === '+' ? added : removed).add(name);
    (sign === '+' ? removed : added).delete(name);
  }
  return { added: [...added].filter((name) => MODEL_OPTIONS.includes(name)), removed: [...removed] };
}

function checkFeature(sign: '+' | '-', given: string, name: string): void {
  const isModel = MODEL_FEATURES.includes(name);
  if (!isModel && !MODEL_OPTIONS.includes(name)) {
    throw usageError(`--cpu: there is no feature ${given}`, `the options are ${MODEL_OPTIONS.join(', ')}`);
  }
  if (sign === '-' && MODEL_NEEDED.includes(name)) throw usageError(`--cpu: no machine goes without ${given}`);
}

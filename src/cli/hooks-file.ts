/**
 * `--hooks FILE`: instructions that ran where no hook was, as runs and replays on the interpreter find them. The next recording hooks them too,
 * where they stand in the image that it loads.
 */
import { existsSync } from 'node:fs';
import type { LearntSite } from '../vmm/hooks/learnt.js';
import { type HookKind, hookNames } from '../vmm/hooks/table.js';
import { readInput } from './files.js';
import { ResultFile } from './result-file.js';
import { usageError } from './values.js';

const VERSION = 1;
const SITES_MAX = 10_000;

/** The sites of the file; none where it is not there yet. Throws VMTAPE_USAGE where it is another file. */
export function readLearnt(path: string): LearntSite[] {
  if (!existsSync(path)) return [];
  const { bytes } = readInput('--hooks', path);
  let found: unknown;
  try {
    found = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw notHooks(path);
  }
  const { hooks, sites } = (found ?? {}) as Record<string, unknown>;
  if (hooks !== VERSION || !Array.isArray(sites) || sites.length > SITES_MAX) throw notHooks(path);
  return sites.map((site: unknown) => parseSite(site, path));
}

function parseSite(site: unknown, path: string): LearntSite {
  const { address, instruction } = (site ?? {}) as Record<string, unknown>;
  const kind = Object.entries(hookNames).find(([, name]) => name === instruction)?.[0];
  if (kind === undefined || typeof address !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(address)) throw notHooks(path);
  return { address: BigInt(address), kind: Number(kind) as HookKind };
}

function notHooks(path: string): Error {
  return usageError(
    `--hooks: ${path} is no list of hook sites`,
    'name a new file: it is written at the end of the run',
  );
}

/** Adds sites to the file, in the order of their addresses, as long as it has room. How many are new. */
export function addLearnt(path: string, found: readonly LearntSite[]): number {
  const known = new Map(readLearnt(path).map((site) => [site.address, site]));
  const before = known.size;
  for (const site of found) if (known.size < SITES_MAX || known.has(site.address)) known.set(site.address, site);
  if (known.size === before && existsSync(path)) return 0;
  const sites = [...known.values()]
    .sort((a, b) => (a.address < b.address ? -1 : 1))
    .map(({ address, kind }) => ({ address: `0x${address.toString(16)}`, instruction: hookNames[kind] }));
  const file = new ResultFile('--hooks', path);
  try {
    file.write(Buffer.from(`${JSON.stringify({ hooks: VERSION, sites }, null, 2)}\n`));
    file.finish();
  } finally {
    file.discard();
  }
  return known.size - before;
}

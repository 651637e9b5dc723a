/** Flat images: raw code without headers. */
import { scanFlat } from '../hooks/flat.js';
import { findFlatUserReturns } from '../hooks/user-returns.js';
import type { GuestMemory } from '../memory.js';
import { badBoot } from './errors.js';
import { GDT_ADDRESS, OTHER_STACK_END, STACK_END, TABLES_END } from './layout.js';
import { applyScan, type Loaded } from './loaded.js';
import { place } from './placement.js';
import type { BootRequest, FlatMode, FlatRequest } from './request.js';
import type { CpuStart } from './start.js';
import { writeGdt, writeIdentityMap } from './tables.js';

/** What a stack must have at least, so that the image does not take its place. */
const STACK_ROOM = 0x1000;
/** Real mode reaches no further for its first instruction. */
const REAL_MODE_END = 0x10_0000;

/** Copies the image and makes the start of its mode. */
export function loadFlat(memory: GuestMemory, source: FlatRequest, request: BootRequest): Loaded {
  const { image, loadAt, mode } = source;
  if (image.bytes.length === 0) throw badBoot(`${image.name} is empty`);
  if (mode === 'real' && loadAt >= REAL_MODE_END) {
    throw badBoot(`--load-at 0x${loadAt.toString(16)} is beyond the first MiB, where real mode ends`);
  }
  const end = loadAt + image.bytes.length;
  if (mode !== 'real' && loadAt < TABLES_END && end > GDT_ADDRESS) {
    throw badBoot(`${image.name} covers 0x800 to 0x6fff, where the tables of --mode ${mode} lie`, 'load it elsewhere');
  }
  place(memory, loadAt, image.bytes, image.bytes.length, image.name);
  const start = startOf(mode, loadAt, end);
  if (mode !== 'real') writeGdt(memory, mode === 'long64' ? 64 : 32);
  if (mode === 'long64') writeIdentityMap(memory);
  const applied = applyScan(memory, scanOf(source, start, request), (address) => Number(address) + csBase(start));
  const userReturns = mode === 'long64' ? findFlatUserReturns(image.bytes, BigInt(loadAt)) : [];
  return { start, ...applied, userReturns };
}

function startOf(mode: FlatMode, loadAt: number, end: number): CpuStart {
  const isCovered = loadAt < STACK_END && end > STACK_END - STACK_ROOM;
  const stack = isCovered ? OTHER_STACK_END : STACK_END;
  if (mode !== 'real') return { mode, entry: loadAt, stack };
  if (loadAt < 0x1_0000) return { mode, entry: loadAt, codeSelector: 0, stack };
  return { mode, entry: loadAt % 16, codeSelector: Math.floor(loadAt / 16), stack };
}

function csBase(start: CpuStart): number {
  return (start.codeSelector ?? 0) * 16;
}

function scanOf(source: FlatRequest, start: CpuStart, request: BootRequest) {
  const bits = { real: 16, prot32: 32, long64: 64 } as const;
  const base = BigInt(source.loadAt - csBase(start));
  return scanFlat(source.image.bytes, base, BigInt(start.entry), bits[source.mode], request.hooks, request.learnt);
}

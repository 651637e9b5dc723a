/** Runs the guests of guests/ on either engine: values that they write to port 0xE0, text to port 0xE9, until they halt or shut down. */
import { readFileSync } from 'node:fs';
import { cpuStateOf } from '../../../src/vmm/boot/cpu.js';
import { writeGdt, writeIdentityMap } from '../../../src/vmm/boot/tables.js';
import { InterpVcpu } from '../../../src/vmm/cpu/interp.js';
import type { KvmVcpu } from '../../../src/vmm/cpu/kvm.js';
import { type CpuidEntry, ExitReason, type Vcpu } from '../../../src/vmm/cpu/vcpu.js';
import { AssistedVcpu } from '../../../src/vmm/machine-assist.js';
import { GuestMemory } from '../../../src/vmm/memory.js';

/** The mode in which a guest starts. */
export type GuestMode = 'real' | 'prot32' | 'long64';
/** One of the two engines, or KVM with the interpreter for what its emulator does not execute. */
export type EngineUnderTest = 'kvm' | 'assisted' | 'interp';

const PORT = 0xe0;
const TEXT_PORT = 0xe9;
/** What every MSR of the machine reads as. */
const MSR_ANSWER = 0x5ca1_ab1en;
const MAX_EXITS = 40_000;

/** A guest that has run. */
export interface GuestRun {
  readonly vcpu: Vcpu;
  readonly memory: GuestMemory;
  readonly values: number[];
  /** The lines of text. */
  readonly lines: string[];
  readonly reason: ExitReason;
  readonly retired: number;
}

const row = (leaf: number, eax: number, ebx: number, ecx: number, edx: number): CpuidEntry => ({
  function: leaf,
  index: 0,
  indexed: false,
  eax,
  ebx,
  ecx,
  edx,
});

/** GenuineIntel with long mode, NX, 1 GiB pages, SYSCALL, RDTSCP, SMEP, SMAP, FSGSBASE, FXSR and SSE2, 40 physical address bits. */
export const TEST_CPUID: readonly CpuidEntry[] = [
  row(0, 7, 0x756e6547, 0x6c65746e, 0x49656e69),
  row(1, 0x000306a9, 0, 0, 0x0783fbff),
  row(7, 0, 0x0010_0081, 0, 0),
  row(0x8000_0000, 0x8000_0008, 0, 0, 0),
  row(0x8000_0001, 0, 0, 1, 0x2c10_0800),
  row(0x8000_0008, 0x3028, 0, 0, 0),
];

/** The image of guests/NAME.hex. */
export function guestImage(name: string): Uint8Array {
  const text = readFileSync(new URL(`guests/${name}.hex`, import.meta.url), 'ascii').replace(/\s/g, '');
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** KVM without the interpreter at its side. */
async function openKvm(memory: GuestMemory): Promise<KvmVcpu> {
  const { KvmVcpu } = await import('../../../src/vmm/cpu/kvm.js');
  return KvmVcpu.open(memory);
}

async function openEngine(engine: EngineUnderTest, memory: GuestMemory): Promise<Vcpu> {
  if (engine === 'interp') return new InterpVcpu(memory);
  const kvm = await openKvm(memory);
  return engine === 'assisted' ? new AssistedVcpu(kvm, () => new InterpVcpu(memory), memory) : kvm;
}

/** A vCPU about to execute `image` at `base`. */
export async function loadGuest(engine: EngineUnderTest, image: Uint8Array, mode: GuestMode, base = 0x1_0000) {
  const memory = new GuestMemory({ ramSize: 16 << 20 });
  memory.write(base, image);
  if (mode !== 'real') writeGdt(memory, mode === 'long64' ? 64 : 32);
  if (mode === 'long64') writeIdentityMap(memory);
  const vcpu = await openEngine(engine, memory);
  vcpu.setCpuid(TEST_CPUID);
  vcpu.setState(cpuStateOf({ mode, entry: base, stack: mode === 'real' ? 0x7000 : 0x9_0000 }));
  return { memory, vcpu };
}

/** Runs a guest to its end, or until it has written `most` lines. */
export async function runGuest(
  engine: EngineUnderTest,
  image: Uint8Array,
  mode: GuestMode,
  base?: number,
  most = Number.POSITIVE_INFINITY,
): Promise<GuestRun> {
  const { memory, vcpu } = await loadGuest(engine, image, mode, base);
  const values: number[] = [];
  let text = '';
  let count = 0;
  let reason: ExitReason = ExitReason.Kicked;
  for (let exits = 0; exits < MAX_EXITS; exits++) {
    reason = vcpu.run(Number.POSITIVE_INFINITY);
    if (reason === ExitReason.MsrRead) {
      vcpu.exit.bytes.setBigUint64(vcpu.exit.dataOffset, MSR_ANSWER, true);
      continue;
    }
    if (reason !== ExitReason.Io) break;
    const { isWrite, size, bytes, dataOffset, address } = vcpu.exit;
    if (isWrite && address === TEXT_PORT) {
      const letter = String.fromCharCode(bytes.getUint8(dataOffset));
      text += letter;
      if (letter === '\n') count++;
      if (count >= most) break;
    }
    if (isWrite && address === PORT) {
      values.push(size === 4 ? bytes.getUint32(dataOffset, true) : bytes.getUint16(dataOffset, true));
    }
  }
  return { vcpu, memory, values, lines: text.split('\n').slice(0, -1), reason, retired: vcpu.retired };
}

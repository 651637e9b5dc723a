/**
 * What an instruction of each class costs the interpreter: loops of thirty-two times the same one, in 64-bit mode, by processor time, so
 * that other load matters less. `npm run bench -- --classes` measures only these.
 */
import { realHost } from '../src/base/host.js';
import { bootGuest } from '../src/vmm/boot/boot.js';
import { vmtape64Cpuid } from '../src/vmm/cpu/cpuid.js';
import { InterpVcpu } from '../src/vmm/cpu/interp.js';
import { ExitReason } from '../src/vmm/cpu/vcpu.js';
import { median, printTable } from './figures.js';

const LOAD_AT = 0x10_0000;
const RAM_SIZE = 0x100_0000;
/** RSI and RDI point to these pages, RSP into the third. */
const DATA = [0x20_0000, 0x20_2000, 0x20_4800] as const;
const COPIES = 32;
const ALL_OF_A_PAGE = 512;

/** A class of instructions. */
interface Kind {
  readonly name: string;
  /** The code of one copy; more than one instruction if `count` says so. */
  readonly code: readonly number[];
  readonly count?: number;
  /** Before the copies, in each turn of the loop. */
  readonly prepare?: readonly number[];
  /** How many times cheaper than it is in instructions: fewer turns for a slow one. */
  readonly weight?: number;
}

const movEcxPage = [0xb9, ALL_OF_A_PAGE & 0xff, ALL_OF_A_PAGE >> 8, 0, 0];
const movRdiData = [0xbf, ...bytesOf(DATA[1])];
const movRsiData = [0xbe, ...bytesOf(DATA[0])];

function bytesOf(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

const kinds: readonly Kind[] = [
  { name: 'ADD r64,r64', code: [0x48, 0x01, 0xd8] },
  { name: 'ADD r32,imm8', code: [0x83, 0xc0, 0x05] },
  { name: 'MOV r64,r64', code: [0x48, 0x89, 0xd8] },
  { name: 'LEA r64,[r+r*2+5]', code: [0x48, 0x8d, 0x54, 0x58, 0x05] },
  { name: 'SHL r64,imm8', code: [0x48, 0xc1, 0xe0, 0x03] },
  { name: 'IMUL r64,r64', code: [0x48, 0x0f, 0xaf, 0xc3] },
  { name: 'DIV r32', code: [0xf7, 0xf3], prepare: [0x31, 0xd2] },
  { name: 'SETcc r8', code: [0x0f, 0x94, 0xc0] },
  { name: 'CMOVcc r64,r64', code: [0x48, 0x0f, 0x44, 0xc3] },
  { name: 'load: MOV r64,[r]', code: [0x48, 0x8b, 0x06] },
  { name: 'load: MOVZX r32,byte [r+r+d]', code: [0x0f, 0xb6, 0x44, 0x2e, 0x08] },
  { name: 'store: MOV [r],r64', code: [0x48, 0x89, 0x06] },
  { name: 'ADD r64,[r]', code: [0x48, 0x03, 0x06] },
  { name: 'ADD [r],r64', code: [0x48, 0x01, 0x06] },
  { name: 'LOCK CMPXCHG [r],r32', code: [0xf0, 0x0f, 0xb1, 0x1e] },
  { name: 'load across two pages', code: [0x48, 0x8b, 0x86, 0xfc, 0x0f, 0, 0] },
  // add rsi, 0x1000; and esi, 0x7fffff; mov rax, [rsi]: 2,048 pages in turn, of which the TLB holds 1,024.
  {
    name: 'load, TLB miss (with its ADD and AND)',
    code: [0x48, 0x81, 0xc6, 0, 0x10, 0, 0, 0x81, 0xe6, 0xff, 0xff, 0x7f, 0, 0x48, 0x8b, 0x06],
    count: 3,
  },
  { name: 'PUSH, POP', code: [0x50, 0x5b], count: 2 },
  { name: 'Jcc, not taken', code: [0x39, 0xc0, 0x75, 0x00], count: 2 },
  { name: 'Jcc, taken', code: [0x39, 0xc0, 0x74, 0x00], count: 2 },
  { name: 'JMP rel', code: [0xeb, 0x00] },
  // call +1; jmp +1; ret
  { name: 'CALL, RET, JMP', code: [0xe8, 2, 0, 0, 0, 0xeb, 0x01, 0xc3], count: 3 },
  { name: 'MOVSB', code: [0xa4], prepare: [...movRsiData, ...movRdiData] },
  { name: 'REP STOSQ, 4 KiB', code: [0xf3, 0x48, 0xab], prepare: [...movEcxPage, ...movRdiData], weight: 1 / COPIES },
  {
    name: 'REP MOVSQ, 4 KiB',
    code: [0xf3, 0x48, 0xa5],
    prepare: [...movEcxPage, ...movRsiData, ...movRdiData],
    weight: 1 / COPIES,
  },
  { name: 'x87: FADD ST,ST(1)', code: [0xd8, 0xc1], prepare: [0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xe8] },
  { name: 'x87: FLD m64, FSTP m64', code: [0xdd, 0x06, 0xdd, 0x1e], count: 2 },
  { name: 'SSE: MOVAPS load', code: [0x0f, 0x28, 0x06] },
  { name: 'SSE: PXOR', code: [0x66, 0x0f, 0xef, 0xc1] },
  { name: 'SSE: ADDPS', code: [0x0f, 0x58, 0xc1] },
  { name: 'SSE: MULSD', code: [0xf2, 0x0f, 0x59, 0xc1] },
  { name: 'PUSHF, POPF', code: [0x9c, 0x9d], count: 2 },
  { name: 'CLI', code: [0xfa] },
  { name: 'RDTSC', code: [0x0f, 0x31] },
  { name: 'CPUID', code: [0x31, 0xc0, 0x0f, 0xa2], count: 2 },
];

/** The guest of a class: a loop of ECX' (R8D's) turns, then HLT. A copy of REP instructions stands once, as RCX is used up. */
function imageOf(kind: Kind): { readonly bytes: Uint8Array; readonly instructions: number } {
  const copies = kind.weight === undefined ? COPIES : 1;
  const body = [...(kind.prepare ?? []), ...Array.from({ length: copies }, () => kind.code).flat()];
  // dec r8d; jnz body
  const end = [0x41, 0xff, 0xc8, 0x0f, 0x85];
  const back = -(body.length + end.length + 4);
  return {
    bytes: Uint8Array.from([...body, ...end, ...bytesOf(back), 0xf4]),
    instructions: copies * (kind.count ?? 1),
  };
}

function openVcpu(bytes: Uint8Array): InterpVcpu {
  const { memory, cpu } = bootGuest({
    ramSize: RAM_SIZE,
    source: { kind: 'flat', image: { name: 'class', bytes }, loadAt: LOAD_AT, mode: 'long64' },
    hooks: new Set(),
  });
  const vcpu = InterpVcpu.open(memory);
  vcpu.setCpuid(vmtape64Cpuid());
  const osFxsr = 0x600n;
  vcpu.setState({
    ...cpu,
    cr4: cpu.cr4 | osFxsr,
    rbx: 3n,
    rsi: BigInt(DATA[0]),
    rdi: BigInt(DATA[1]),
    rsp: BigInt(DATA[2]),
  });
  return vcpu;
}

/** Runs the loop so many times; returns microseconds of processor time. */
function runTurns(vcpu: InterpVcpu, turns: number): number {
  const state = vcpu.getState();
  vcpu.setState({ ...state, halted: false, rip: BigInt(LOAD_AT), r8: BigInt(turns) });
  const before = process.cpuUsage();
  const reason = vcpu.run(Number.POSITIVE_INFINITY);
  const { user, system } = process.cpuUsage(before);
  if (reason !== ExitReason.Halt) throw new Error(`the loop ended with exit ${reason} at ${vcpu.rip.toString(16)}`);
  return user + system;
}

/** Nanoseconds of an instruction of the class. */
function measure(kind: Kind, rounds: number): number {
  const { bytes, instructions } = imageOf(kind);
  const vcpu = openVcpu(bytes);
  try {
    let turns = 2000;
    while (runTurns(vcpu, turns) < 20_000) turns *= 2;
    const values: number[] = [];
    for (let round = 0; round < rounds; round++) {
      values.push((runTurns(vcpu, turns) * 1000) / (turns * instructions));
    }
    return median(values);
  } finally {
    vcpu.close();
  }
}

/** Nanoseconds for decoding an instruction: straight code, executed once each time the host has dropped it. */
function measureDecode(rounds: number): number {
  const mix = [0x48, 0x01, 0xd8, 0x8b, 0x46, 0x08, 0x83, 0xc0, 0x05, 0x48, 0x89, 0x5e, 0x10];
  const copies = 4096;
  const bytes = Uint8Array.from([...Array.from({ length: copies }, () => mix).flat(), 0xf4]);
  const vcpu = openVcpu(bytes);
  try {
    runTurns(vcpu, 1);
    const known = Array.from({ length: rounds * 8 }, () => runTurns(vcpu, 1));
    const fresh = Array.from({ length: rounds * 8 }, () => {
      vcpu.invalidateCode(LOAD_AT, bytes.length);
      return runTurns(vcpu, 1);
    });
    return ((median(fresh) - median(known)) * 1000) / (copies * 4);
  } finally {
    vcpu.close();
  }
}

/** Prints the table. */
export async function benchClasses(rounds: number): Promise<void> {
  console.log('\nThe interpreter, nanoseconds of processor time an instruction, 64-bit mode.\n');
  const rows: (readonly string[])[] = [['', 'ns']];
  for (const kind of kinds) {
    rows.push([kind.name, measure(kind, rounds).toFixed(1)]);
    await realHost.sleep(0);
  }
  rows.push(['decoding, for each instruction', measureDecode(rounds).toFixed(1)]);
  printTable(rows);
}

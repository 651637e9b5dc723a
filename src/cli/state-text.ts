/** The state of a CPU, for people and for programs. */
import { hexBytes } from '../base/hex.js';
import { type CpuState, GPR_NAMES, manualName, SEGMENT_NAMES } from '../vmm/cpu/state.js';

const COLUMNS = 3;
const ST = { first: 32, count: 8, size: 10 };
const XMM = { first: 160, count: 16, size: 16 };
const MXCSR = 24;
const CONTROL = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'xcr0', 'dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const;
const SHOWN_ABOVE = new Set<string>([
  ...GPR_NAMES,
  ...SEGMENT_NAMES,
  ...CONTROL,
  'rip',
  'rflags',
  'gdtr',
  'idtr',
  'fxsave',
]);

function hex(value: bigint | number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Values `name value`, some a line. */
function rows(values: readonly (readonly [string, string])[], width: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += COLUMNS) {
    const row = values.slice(at, at + COLUMNS);
    lines.push(`  ${row.map(([name, value]) => `${name.padEnd(width)} ${value}`).join('  ')}`);
  }
  return lines;
}

/** Little-endian bytes as a hexadecimal number. */
function number(bytes: Uint8Array, at: number, size: number): string {
  return hexBytes(bytes.slice(at, at + size).reverse());
}

/** All of the state, in lines. */
export function stateLines(state: CpuState): string[] {
  const { fxsave } = state;
  const lines = rows(
    [...GPR_NAMES, 'rip' as const, 'rflags' as const].map((name) => [name, hex(state[name], 16)] as const),
    6,
  );
  for (const name of SEGMENT_NAMES) {
    const { selector, base, limit, attributes } = state[name];
    lines.push(
      `  ${name.padEnd(6)} ${hex(selector, 4)}  base ${hex(base, 16)}  limit ${hex(limit, 8)}  attributes ${hex(attributes, 5)}`,
    );
  }
  for (const name of ['gdtr', 'idtr'] as const) {
    lines.push(`  ${name.padEnd(6)}       base ${hex(state[name].base, 16)}  limit ${hex(state[name].limit, 8)}`);
  }
  lines.push(
    ...rows(
      CONTROL.map((name) => [name, hex(state[name], 16)] as const),
      6,
    ),
  );
  const others = Object.entries(state).filter(([name]) => !SHOWN_ABOVE.has(name));
  lines.push(...others.map(([name, value]) => `  ${manualName(name).padEnd(22)} ${shown(value)}`));
  const word = (at: number) => number(fxsave, at, 2);
  lines.push(`  fcw    ${word(0)}  fsw ${word(2)}  ftw ${number(fxsave, 4, 1)}  mxcsr ${number(fxsave, MXCSR, 4)}`);
  const at = ({ first }: { first: number }, index: number) => first + index * 16;
  const list = (name: string, bank: typeof ST) =>
    Array.from(
      { length: bank.count },
      (_, index) => [`${name}${index}`, number(fxsave, at(bank, index), bank.size)] as const,
    );
  lines.push(...rows(list('st', ST), 6), ...rows(list('xmm', XMM), 6));
  return lines;
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return hex(BigInt.asUintN(64, value), 16);
  if (Array.isArray(value)) return value.map(shown).join(' ');
  return typeof value === 'number' ? hex(value, 1) : String(value);
}

/**
 * Makes interp/generated/opcodes.ts of the opcode table (interp/opcodes): the decoder's tables and one wrapper function for each
 * distinct handler call; and docs/opcodes.md (opcode-reference.ts). `node scripts/build-interp.mjs --generate` compiles and runs it; the
 * results are committed. With `--check` it writes nothing, and fails if what is committed is another.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Encoding, parseEncoding } from '../interp/opcodes/encoding.js';
import type { OpcodeRow, OperandWidth } from '../interp/opcodes/row.js';
import { CPUID_FEATURES, type CpuidFeature } from '../src/vmm/cpu/cpuid-features.js';
import { generatePairs } from './generate-pairs.js';
import { type OpcodeFamily, opcodeReference } from './opcode-reference.js';

const here = fileURLToPath(new URL('.', import.meta.url));
/** dist/scripts, so the sources are two levels up. */
const top = join(here, '../..');

/** In the order of the numbers that decode.ts knows. */
const WIDTHS: readonly OperandWidth[] = ['b', 'v', 'v64', 'd64', 'f64', 'z', 'y', 'none'];
const IMMEDIATES = ['', 'ib', 'ub', 'iw', 'id', 'iz', 'iv', 'cb', 'cw', 'cz', 'ptr', 'moffs'];
const PREFIXES: Readonly<Record<string, number>> = { '66': 1, F3: 2, F2: 3 };
/** In the place of a mandatory prefix: none of 66, F2, F3; neither F2 nor F3. */
const REFUSES_ANY = 4;
const REFUSES_REPEAT = 5;
const ROW_BYTES = 22;
/** ModRM.reg of a row: 0 to 7, any, or the row has no ModRM. */
const DIGIT_ANY = 8;
const DIGIT_NONE = 9;

interface Parsed {
  readonly row: OpcodeRow;
  readonly prefix: number;
  readonly rexW: boolean;
  readonly map: number;
  readonly opcode: number;
  readonly plusRegister: boolean;
  readonly digit: number;
  readonly fixed: number | undefined;
  readonly immediates: readonly number[];
}

function fail(row: OpcodeRow, what: string): never {
  throw new Error(`${row.encoding} (${row.name}): ${what}`);
}

/** The decoder's number of a map: 0 one byte, 0F, 0F 38, 0F 3A, and the last three with VEX. */
function mapOf({ opcode, vex }: Encoding): number {
  const map = opcode.length === 3 ? (opcode[1] === 0x38 ? 2 : 3) : opcode.length - 1;
  return vex ? map + 3 : map;
}

/** Reads the encoding of a row. */
function parse(row: OpcodeRow): Parsed {
  const encoding = parseEncoding(row.encoding);
  const { mandatory, rexW, vex, plusRegister, digit, fixed } = encoding;
  let prefix = mandatory === undefined ? 0 : (PREFIXES[mandatory.toString(16).toUpperCase()] as number);
  if (row.refuses !== undefined) {
    if (prefix !== 0) fail(row, 'a mandatory prefix refuses the others anyway');
    prefix = row.refuses === 'any' ? REFUSES_ANY : REFUSES_REPEAT;
  } else if (vex && prefix === 0) prefix = REFUSES_ANY;
  return {
    row,
    prefix,
    rexW,
    map: mapOf(encoding),
    opcode: encoding.opcode.at(-1) as number,
    plusRegister,
    digit: digit ?? (fixed === undefined ? DIGIT_NONE : DIGIT_ANY),
    fixed,
    immediates: encoding.immediates.map((one) => IMMEDIATES.indexOf(one)),
  };
}

/** What is tried first: fixed ModRM bytes, then digits; REX.W and mandatory prefixes before none, and 66 after F3 and F2. */
function priority(parsed: Parsed): number {
  const form = parsed.fixed !== undefined ? 0 : parsed.digit < DIGIT_ANY ? 1 : 2;
  const prefix = [3, 2, 0, 1, 3, 3][parsed.prefix] as number;
  return form * 8 + (parsed.rexW ? 0 : 4) + prefix;
}

/** T for operand sizes of 2, 4 and 8 bytes. */
function typesOf(width: OperandWidth): readonly string[] {
  if (width === 'b') return ['u8', 'u8', 'u8'];
  if (width === 'z') return ['u16', 'u32', 'u32'];
  if (width === 'y') return ['u32', 'u32', 'u64'];
  return ['u16', 'u32', 'u64'];
}

/** Distinct handler calls; number 0 is "none". */
class Handlers {
  readonly calls: string[] = [];
  /** Those that go on by themselves. */
  readonly going = new Set<string>();
  readonly numbers = new Map<string, number>();

  number(call: string, type: string, goesOn: boolean): number {
    const text = call.replace(/\bT\b/g, type);
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.calls.push(text);
      this.numbers.set(text, number);
      if (goesOn) this.going.add(text);
    }
    return number;
  }

  threeOf(call: string | undefined, row: OpcodeRow): number[] {
    return typesOf(row.size).map((type) => (call === undefined ? 0 : this.number(call, type, row.goesOn ?? false)));
  }

  /** What the functions do: each notes which op is under way, and goes on to the next one. */
  bodies(): string[] {
    return this.calls.map((call) =>
      ['setCurrentOp(op);', `${call};`, ...(this.going.has(call) ? [] : ['goOn(op);'])].join('\n  '),
    );
  }
}

function hasOperand(row: OpcodeRow, pattern: RegExp): boolean {
  return row.name
    .replace(/^\S+\s*/, '')
    .split(',')
    .some((operand) => pattern.test(operand));
}

function flagsOf({ row, plusRegister, fixed, rexW }: Parsed): number {
  let flags = 0;
  if (row.lock) flags |= 1;
  if (row.ends) flags |= 2;
  if (plusRegister) flags |= 4;
  // By the operand codes: a byte register in ModRM.reg or +r, and one in ModRM.rm.
  if (hasOperand(row, /^[GZ]b$/)) flags |= 8;
  if (hasOperand(row, /^[ER]b$/)) flags |= 16;
  if (fixed !== undefined) flags |= 32;
  if (rexW) flags |= 64;
  if (row.legacy) flags |= 128;
  return flags;
}

function rowBytes(parsed: Parsed, handlers: Handlers, features: readonly CpuidFeature[]): number[] {
  const { row } = parsed;
  const modes = row.modes === 'no64' ? 1 : row.modes === 'only64' ? 2 : 0;
  const numbers = [...handlers.threeOf(row.reg, row), ...handlers.threeOf(row.mem, row)];
  return [
    parsed.prefix,
    modes,
    parsed.digit,
    flagsOf(parsed),
    parsed.fixed ?? 0,
    WIDTHS.indexOf(row.size),
    parsed.immediates[0] ?? 0,
    parsed.immediates[1] ?? 0,
    ...numbers.flatMap((number) => [number & 0xff, number >> 8]),
    row.feature === undefined ? 0 : features.findIndex(({ name }) => name === row.feature) + 1,
    // By the operand codes: B is the register of VEX.vvvv.
    row.encoding.startsWith('VEX') && !hasOperand(row, /^B/) ? 1 : 0,
  ];
}

const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'];

/** The features that rows name; the number of one is its index + 1. */
function featuresOf(rows: readonly OpcodeRow[]): CpuidFeature[] {
  const named = new Set(rows.flatMap(({ feature }) => feature ?? []));
  const features = CPUID_FEATURES.filter(({ name }) => named.delete(name));
  if (named.size > 0) throw new Error(`${[...named].join(', ')}: no such CPUID feature`);
  if (features.some(({ index }) => index !== 0)) throw new Error('features of an index other than 0 are not looked up');
  return features;
}

/** Exported names of the files that handler calls may use. */
function exportsOf(): Map<string, string> {
  const names = new Map<string, string>();
  const add = (file: string, from: string): void => {
    for (const match of readFileSync(file, 'utf8').matchAll(/^export (?:function|const|let) (\w+)/gm)) {
      const name = match[1] as string;
      if (!names.has(name)) names.set(name, from);
    }
  };
  for (const folder of ['execute', 'system']) {
    for (const file of readdirSync(join(top, 'interp', folder)).sort()) {
      add(join(top, 'interp', folder, file), `../${folder}/${file.replace(/\.ts$/, '')}`);
    }
  }
  add(join(top, 'interp/registers.ts'), '../registers');
  add(join(top, 'interp/op.ts'), '../op');
  add(join(top, 'interp/memory.ts'), '../memory');
  add(join(top, 'interp/fuse.ts'), '../fuse');
  return names;
}

function importsOf(calls: readonly string[]): string[] {
  const names = exportsOf();
  const used = new Map<string, Set<string>>();
  const known = new Set([
    'op',
    'second',
    'at',
    'if',
    'return',
    'setCurrentOp',
    'goOn',
    'usize',
    'const',
    'both',
    'true',
    'false',
    'u8',
    'u16',
    'u32',
    'u64',
  ]);
  for (const call of calls) {
    for (const [name] of call.matchAll(/\b[A-Za-z_]\w*/g)) {
      if (known.has(name)) continue;
      const from = names.get(name);
      if (from === undefined) throw new Error(`${call}: nobody exports ${name}`);
      const set = used.get(from) ?? new Set();
      used.set(from, set.add(name));
    }
  }
  return [...used]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([from, set]) => `import { ${[...set].sort().join(', ')} } from '${from}';`);
}

function numbers(name: string, type: string, values: readonly number[]): string {
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += 32) lines.push(`  ${values.slice(at, at + 32).join(', ')},`);
  return `export const ${name}: usize = memory.data<${type}>([\n${lines.join('\n')}\n]);`;
}

async function readFamilies(): Promise<OpcodeFamily[]> {
  const families: OpcodeFamily[] = [];
  const folder = join(here, '../interp/opcodes');
  for (const file of readdirSync(folder).sort()) {
    // What tsc made of a file that is gone is none of the table.
    const name = file.replace(/\.js$/, '');
    if (name === file || !existsSync(join(top, 'interp/opcodes', `${name}.ts`))) continue;
    const module = (await import(pathToFileURL(join(folder, file)).href)) as { rows?: OpcodeRow[] };
    families.push({ name, rows: module.rows ?? [] });
  }
  return families;
}

/** Writes a generated file, or with --check compares it. */
function put(path: string, text: string): void {
  const file = join(top, path);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    throw new Error(`${path} is stale: node scripts/build-interp.mjs --generate`);
  }
}

async function main(): Promise<void> {
  const families = await readFamilies();
  const parsed = families.flatMap(({ rows }) => rows).map(parse);
  const handlers = new Handlers();
  const features = featuresOf(parsed.map(({ row }) => row));
  const rowTable = parsed.flatMap((row) => rowBytes(row, handlers, features));
  const lists = new Map<number, number[]>();
  for (const [index, { map, opcode, plusRegister }] of parsed.entries()) {
    for (let register = 0; register < (plusRegister ? 8 : 1); register++) {
      const key = map * 256 + opcode + register;
      lists.set(key, [...(lists.get(key) ?? []), index]);
    }
  }
  const heads = new Array<number>(7 * 256).fill(0);
  const chain = [0xffff];
  for (const [key, indexes] of [...lists].sort(([a], [b]) => a - b)) {
    heads[key] = chain.length;
    const order = [...indexes].sort((a, b) => priority(parsed[a] as Parsed) - priority(parsed[b] as Parsed));
    chain.push(...order, 0xffff);
  }
  const fused = generatePairs(handlers.numbers, handlers.going, handlers.calls.length + 1);
  const bodies = [...handlers.bodies(), ...fused.bodies];
  const text = [
    '/** Made by scripts/generate-opcodes.ts of interp/opcodes; do not edit. */',
    "import { goOn } from '../chain';",
    "import { setCurrentOp } from '../control';",
    ...importsOf([...handlers.calls, ...fused.calls]),
    '',
    `export const ROW_BYTES: usize = ${ROW_BYTES};`,
    '/** For each opcode of the four maps and of the three with VEX, where its rows begin in OPCODE_ROWS; 0: there are none. */',
    numbers('OPCODE_HEADS', 'u16', heads),
    '/** Row numbers in the order in which they are tried, 0xffff behind the last. */',
    numbers('OPCODE_ROWS', 'u16', chain),
    '/** prefix, modes, digit, flags, fixed ModRM, width, two immediates, then three u16 handlers for registers and three for memory, feature, 1 if VEX.vvvv is reserved. */',
    numbers('ROWS', 'u8', rowTable),
    '/** For each feature from number 1 on: leaf, and register (0 to 3: EAX to EDX) * 256 + bit. */',
    numbers(
      'FEATURES',
      'u32',
      features.flatMap(({ leaf, register, bit }) => [leaf, REGISTERS.indexOf(register) * 256 + bit]),
    ),
    `export const FEATURE_COUNT: u32 = ${features.length};`,
    '/** For each handler where the pairs that it can begin are in FUSED_LISTS: u16 the second, u16 the pair, 0 behind the last. */',
    numbers('FUSED_HEADS', 'u16', fused.heads),
    numbers('FUSED_LISTS', 'u16', fused.lists),
    '/** The function-table index of each handler. */',
    `export const HANDLERS: usize = memory.data(${(bodies.length + 1) * 4}, 4);`,
    '',
    ...bodies.map((body, index) => `function h${index + 1}(op: usize): void {\n  ${body}\n}`),
    '',
    '/** Fills HANDLERS. */',
    'export function initializeHandlers(): void {',
    ...bodies.map(
      (_, index) => `  store<u32>(HANDLERS + ${(index + 1) * 4}, (<(op: usize) => void>h${index + 1}).index);`,
    ),
    '}',
    '',
  ].join('\n');
  put('interp/generated/opcodes.ts', text);
  put('docs/opcodes.md', opcodeReference(families));
  console.log(`${parsed.length} rows, ${handlers.calls.length} handlers, ${fused.bodies.length} pairs`);
}

await main();

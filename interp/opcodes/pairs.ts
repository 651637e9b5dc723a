/**
 * Which neighbours one handler executes (interp/fuse.ts). Every comparison with the Jcc behind it; of the rest, the pairs that are each at least
 * 0.15 % of all neighbours in the boot of Debian's amd64 or 686 kernel, in the widths of both. Host data, as the rows are: scripts/generate-pairs.ts makes the
 * handlers of it.
 */

/** How the first of a pair finds its memory operand, and what it does then (interp/execute/placed.ts): by the name of its own handler. */
export interface Placed {
  /** Gives the operand's offset of the memory, or 0. `T` is the width of the handler. */
  readonly place: string;
  /** The function that takes the offset as its last argument. */
  readonly name: string;
  /** The segment must be one whose offsets are linear addresses. */
  readonly flat: boolean;
}

const read = (name: string, width = 'T'): Placed => ({ place: `operandReadAt<${width}>(op)`, name, flat: true });
const write = (name: string): Placed => ({ place: 'operandWriteAt<T>(op)', name, flat: true });

/** The handlers with a memory operand that can be the first of a pair. Those of registers that are in {@link pairs} can be. */
export const placed: Readonly<Record<string, Placed>> = {
  movRegMem: read('movRegAt'),
  movMemReg: write('movAtReg'),
  movMemImm: write('movAtImm'),
  movzxByteMem: read('movzxByteAt', 'u8'),
  movzxWordMem: read('movzxWordAt', 'u16'),
  aluRegMem: read('aluRegAt'),
  aluMemReg: read('cmpAtReg'),
  aluMemImm: read('cmpAtImm'),
  testMemReg: read('testAtReg'),
  testMemImm: read('testAtImm'),
  cmovRegMem: read('cmovRegAt'),
  pushReg: { place: 'pushAddress<T>()', name: 'pushRegAt', flat: false },
  popReg: { place: 'popAddress<T>()', name: 'popRegAt', flat: false },
};

/** The conditions of Jcc behind a comparison: all but those on OF and PF. */
const AFTER_CMP = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15];
/** Behind TEST, AND, ADD, SUB, INC and DEC: those that compilers use. */
const AFTER_TEST = [4, 5, 8, 9, 14, 15];

/** The pairs of a comparison of width `type` and a Jcc of operand size `branch`. */
function compareAndBranch(type: string, branch: string): [string, string][] {
  const jumps = (conditions: readonly number[]) => conditions.map((cc) => `jumpConditional<${branch}>(op, ${cc})`);
  const compare = ['aluRmReg', 'aluRmImm', 'aluAccImm', 'aluMemReg', 'aluMemImm', 'aluRegMem'].map(
    (name) => `${name}<${type}>(op, ALU_CMP)`,
  );
  const test = ['testRmReg', 'testRmImm', 'testAccImm', 'testMemImm'].map((name) => `${name}<${type}>(op)`);
  const change = ['decRm', 'decReg', 'incRm', 'incReg'].map((name) => `${name}<${type}>(op)`);
  const arithmetic = ['ADD', 'SUB', 'AND'].map((kind) => `aluRmImm<${type}>(op, ALU_${kind})`);
  const others = [...test, ...arithmetic, ...(type === 'u8' ? [] : change)];
  return [
    ...compare.flatMap((first) => jumps(AFTER_CMP).map((second): [string, string] => [first, second])),
    ...others.flatMap((first) => jumps(AFTER_TEST).map((second): [string, string] => [first, second])),
  ];
}

/** The other pairs: by the call of the first, those of the second. */
const frequent: Readonly<Record<string, readonly string[]>> = {
  'aluRegMem<u32>(op, ALU_ADD)': [
    'aluRegMem<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_ADC)',
    'movRmReg<u32>(op)',
    'notRm<u32>(op)',
    'shiftRmImm<u32>(op, SHIFT_ROL)',
  ],
  'aluRegMem<u32>(op, ALU_SBB)': ['aluRmReg<u32>(op, ALU_CMP)'],
  'aluRegMem<u32>(op, ALU_SUB)': ['aluRegMem<u32>(op, ALU_SBB)'],
  'aluRegMem<u64>(op, ALU_ADD)': ['aluRmReg<u64>(op, ALU_ADC)'],
  'aluRmImm<u32>(op, ALU_ADD)': [
    'aluRmImm<u32>(op, ALU_ADD)',
    'aluRmImm<u32>(op, ALU_CMP)',
    'aluRmImm<u32>(op, ALU_SUB)',
    'aluRmReg<u32>(op, ALU_CMP)',
    'jumpRelative<u32>(op)',
    'movMemReg<u32>(op)',
    'movsxdRm<u64>(op)',
    'popReg<u32>(op)',
    'pushReg<u32>(op)',
  ],
  'aluRmImm<u32>(op, ALU_AND)': ['movRegMem<u32>(op)', 'movzxWordMem<u32>(op)'],
  'aluRmImm<u32>(op, ALU_SUB)': ['movRegMem<u32>(op)', 'pushMem<u32>(op)', 'pushReg<u32>(op)'],
  'aluRmImm<u64>(op, ALU_ADD)': ['aluRmImm<u64>(op, ALU_CMP)', 'movRmReg<u32>(op)'],
  'aluRmReg<u32>(op, ALU_ADC)': ['movMemReg<u32>(op)'],
  'aluRmReg<u32>(op, ALU_ADD)': [
    'aluRmImm<u32>(op, ALU_ADD)',
    'aluRmImm<u64>(op, ALU_CMP)',
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'movMemReg<u32>(op)',
    'movRegMem<u32>(op)',
    'movRmReg<u32>(op)',
    'shiftRmImm<u32>(op, SHIFT_SHL)',
  ],
  'aluRmReg<u32>(op, ALU_AND)': ['aluRmReg<u32>(op, ALU_ADD)', 'aluRmReg<u32>(op, ALU_XOR)'],
  'aluRmReg<u32>(op, ALU_CMP)': ['cmovRegMem<u32>(op, 3)', 'movRmReg<u32>(op)', 'setccRm(op, 2)'],
  'aluRmReg<u32>(op, ALU_SUB)': ['movRegMem<u32>(op)'],
  'aluRmReg<u32>(op, ALU_XOR)': [
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_AND)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'leaRegMem<u32>(op)',
    'movMemReg<u32>(op)',
    'movRegMem<u32>(op)',
    'movRmReg<u32>(op)',
    'shiftRmImm<u32>(op, SHIFT_SHR)',
  ],
  'aluRmReg<u64>(op, ALU_ADC)': ['movMemReg<u64>(op)'],
  'aluRmReg<u64>(op, ALU_ADD)': [
    'aluMemReg<u8>(op, ALU_CMP)',
    'aluRmImm<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_CMP)',
    'aluRmReg<u64>(op, ALU_ADD)',
    'aluRmReg<u64>(op, ALU_CMP)',
    'movRmReg<u64>(op)',
    'shiftRmImm<u64>(op, SHIFT_SHL)',
    'shiftRmImm<u64>(op, SHIFT_SHR)',
  ],
  'aluRmReg<u64>(op, ALU_CMP)': ['movRmReg<u64>(op)', 'setccRm(op, 2)'],
  'aluRmReg<u64>(op, ALU_SUB)': ['aluRmReg<u64>(op, ALU_ADC)', 'movRegMem<u64>(op)'],
  'cmovRegMem<u32>(op, 3)': ['aluRmReg<u32>(op, ALU_ADD)', 'movzxWordRm<u32>(op)'],
  'cmovRegRm<u64>(op, 3)': ['aluRmReg<u64>(op, ALU_ADD)'],
  'decReg<u32>(op)': ['aluRmImm<u32>(op, ALU_SUB)'],
  'decRm<u64>(op)': ['callRelative<u64>(op)'],
  'imulRegRm<u32>(op)': ['imulRegRm<u32>(op)', 'movMemReg<u32>(op)', 'movRmReg<u32>(op)'],
  'imulRegRm<u64>(op)': ['imulRegRm<u64>(op)', 'movRmReg<u64>(op)'],
  'incReg<u32>(op)': ['movRegMem<u32>(op)'],
  'incRm<u64>(op)': ['aluMemImm<u8>(op, ALU_CMP)', 'aluRmReg<u32>(op, ALU_AND)'],
  'leaRegMem<u32>(op)': [
    'aluRmImm<u32>(op, ALU_ADD)',
    'movMemReg<u32>(op)',
    'movRegMem<u32>(op)',
    'movRegMem<u8>(op)',
    'movRmReg<u32>(op)',
  ],
  'leaRegMem<u64>(op)': ['movMemReg<u64>(op)', 'movRmReg<u64>(op)'],
  'movMemReg<u32>(op)': [
    'aluRegMem<u32>(op, ALU_SUB)',
    'aluRmImm<u32>(op, ALU_ADD)',
    'aluRmImm<u32>(op, ALU_CMP)',
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u64>(op, ALU_CMP)',
    'leaRegMem<u32>(op)',
    'movMemReg<u32>(op)',
    'movMemReg<u8>(op)',
    'movRegMem<u32>(op)',
    'movRmReg<u32>(op)',
    'movzxByteMem<u32>(op)',
    'xchgAccReg<u32>(op)',
  ],
  'movMemReg<u64>(op)': ['aluRmReg<u64>(op, ALU_ADD)', 'movRmReg<u32>(op)', 'movzxByteMem<u32>(op)'],
  'movMemReg<u8>(op)': ['aluRmImm<u32>(op, ALU_ADD)', 'returnNear<u64>(op)'],
  'movRegMem<u32>(op)': [
    'aluMemReg<u32>(op, ALU_CMP)',
    'aluRegMem<u32>(op, ALU_ADD)',
    'aluRegMem<u32>(op, ALU_CMP)',
    'aluRmImm<u32>(op, ALU_ADD)',
    'aluRmImm<u64>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_ADC)',
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_AND)',
    'aluRmReg<u32>(op, ALU_CMP)',
    'aluRmReg<u32>(op, ALU_SUB)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'imulRegRm<u32>(op)',
    'leaRegMem<u32>(op)',
    'movMemReg<u32>(op)',
    'movRegMem<u32>(op)',
    'movRmImm<u32>(op)',
    'movRmReg<u32>(op)',
    'movzxByteRm<u32>(op)',
    'movzxWordMem<u32>(op)',
    'movzxWordRm<u32>(op)',
    'returnNear<u32>(op)',
    'setccRm(op, 2)',
  ],
  'movRegMem<u64>(op)': [
    'aluRegMem<u64>(op, ALU_CMP)',
    'callRelative<u64>(op)',
    'leaRegMem<u64>(op)',
    'movMemReg<u64>(op)',
    'movRegMem<u64>(op)',
    'movRmReg<u64>(op)',
    'movzxByteRm<u32>(op)',
  ],
  'movRegMem<u8>(op)': ['aluMemReg<u8>(op, ALU_CMP)', 'aluRmReg<u64>(op, ALU_ADD)'],
  'movRmImm<u32>(op)': ['movRegMem<u32>(op)'],
  'movRmReg<u32>(op)': [
    'aluRegMem<u32>(op, ALU_ADD)',
    'aluRmImm<u32>(op, ALU_AND)',
    'aluRmImm<u32>(op, ALU_CMP)',
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_AND)',
    'aluRmReg<u32>(op, ALU_SBB)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'callRelative<u32>(op)',
    'cmovRegMem<u32>(op, 3)',
    'jumpRelative<u32>(op)',
    'jumpRelative<u64>(op)',
    'leaRegMem<u32>(op)',
    'movMemReg<u8>(op)',
    'movRegMem<u32>(op)',
    'movRmReg<u32>(op)',
    'movsxdRm<u64>(op)',
    'movzxWordRm<u32>(op)',
    'pushReg<u32>(op)',
    'setccRm(op, 2)',
    'shiftRmImm<u32>(op, SHIFT_ROL)',
    'shiftRmImm<u32>(op, SHIFT_ROR)',
    'shiftRmImm<u32>(op, SHIFT_SHL)',
    'shiftRmImm<u32>(op, SHIFT_SHR)',
    'shiftRmImm<u64>(op, SHIFT_SHR)',
  ],
  'movRmReg<u64>(op)': [
    'aluRmReg<u64>(op, ALU_ADD)',
    'callRelative<u64>(op)',
    'cmovRegRm<u64>(op, 3)',
    'imulRegRm<u64>(op)',
    'movRmReg<u32>(op)',
    'movRmReg<u64>(op)',
    'pushReg<u64>(op)',
  ],
  'movsxdRm<u64>(op)': ['aluRmReg<u64>(op, ALU_ADD)', 'aluRmReg<u64>(op, ALU_SUB)', 'movRegMem<u8>(op)'],
  'movzxByteMem<u32>(op)': ['aluRmImm<u32>(op, ALU_ADD)', 'returnNear<u64>(op)', 'testRmReg<u8>(op)'],
  'movzxByteRm<u32>(op)': [
    'aluRegMem<u64>(op, ALU_ADD)',
    'aluRmReg<u64>(op, ALU_SUB)',
    'movRegMem<u32>(op)',
    'movRegMem<u64>(op)',
  ],
  'movzxWordMem<u32>(op)': ['aluMemReg<u32>(op, ALU_CMP)'],
  'movzxWordRm<u32>(op)': ['aluRmReg<u32>(op, ALU_ADD)', 'movRmReg<u32>(op)', 'shiftRmImm<u32>(op, SHIFT_SHR)'],
  'notRm<u32>(op)': ['incRm<u64>(op)'],
  'popReg<u32>(op)': ['popReg<u32>(op)', 'returnNear<u32>(op)'],
  'popReg<u64>(op)': ['popReg<u64>(op)', 'returnNear<u64>(op)'],
  'pushReg<u32>(op)': ['aluRmImm<u32>(op, ALU_SUB)', 'callRelative<u32>(op)', 'movRmReg<u32>(op)', 'pushReg<u32>(op)'],
  'pushReg<u64>(op)': ['movRmReg<u64>(op)', 'pushReg<u64>(op)'],
  'setccRm(op, 2)': ['aluRmReg<u64>(op, ALU_ADD)', 'shiftRmImm<u32>(op, SHIFT_SHR)'],
  'shiftRmImm<u32>(op, SHIFT_ROL)': [
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'shiftRmImm<u32>(op, SHIFT_ROL)',
  ],
  'shiftRmImm<u32>(op, SHIFT_ROR)': [
    'aluRmReg<u32>(op, ALU_AND)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'movRmReg<u32>(op)',
    'shiftRmImm<u32>(op, SHIFT_ROR)',
  ],
  'shiftRmImm<u32>(op, SHIFT_SHL)': ['aluRmReg<u32>(op, ALU_ADD)', 'aluRmReg<u32>(op, ALU_XOR)'],
  'shiftRmImm<u32>(op, SHIFT_SHR)': [
    'aluRmReg<u32>(op, ALU_ADD)',
    'aluRmReg<u32>(op, ALU_XOR)',
    'imulRegRm<u32>(op)',
    'movRmReg<u32>(op)',
    'shiftRmImm<u32>(op, SHIFT_ROL)',
    'shiftRmImm<u32>(op, SHIFT_ROR)',
  ],
  'shiftRmImm<u64>(op, SHIFT_SHL)': ['aluRmReg<u64>(op, ALU_ADD)'],
  'shiftRmImm<u64>(op, SHIFT_SHR)': [
    'aluRmReg<u64>(op, ALU_ADD)',
    'movRegMem<u64>(op)',
    'movRmReg<u64>(op)',
    'movzxByteRm<u32>(op)',
  ],
};

/** Branches and the stack have 64 bits in 64-bit mode, whatever their neighbour has. */
const followsMode = (call: string): boolean => /^(jump|call|return|push|pop)/.test(call);

/** A pair with the widths that it has in the kernel of the other mode. */
function widened([first, second]: [string, string]): [string, string][] {
  const as = (call: string, width: string) => call.replace(/<u(32|64)>/, `<${width}>`);
  const mixed: [string, string] = [
    followsMode(first) ? as(first, 'u64') : first,
    followsMode(second) ? as(second, 'u64') : second,
  ];
  return [[first, second], mixed, [as(first, 'u32'), as(second, 'u32')], [as(first, 'u64'), as(second, 'u64')]];
}

/** Those of 64-bit operands that exist in 64-bit mode only, and a branch or stack access of 32-bit code. */
const isPossible = ([first, second]: [string, string]): boolean =>
  !(followsMode(second) && second.includes('<u32>') && first.includes('<u64>')) &&
  !(followsMode(first) && first.includes('<u32>') && second.includes('<u64>'));

const frequentPairs = Object.entries(frequent)
  .flatMap(([first, seconds]) => seconds.flatMap((second) => widened([first, second])))
  .filter(isPossible);

/** First and second handler call of every pair, each once. What no row calls is left out later. */
export const pairs: readonly (readonly [string, string])[] = [
  ...new Map(
    [
      ...compareAndBranch('u8', 'u64'),
      ...compareAndBranch('u32', 'u64'),
      ...compareAndBranch('u64', 'u64'),
      ...compareAndBranch('u8', 'u32'),
      ...compareAndBranch('u32', 'u32'),
      ...frequentPairs,
    ].map((pair) => [pair.join(), pair] as const),
  ).values(),
];

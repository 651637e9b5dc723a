/** docs/opcodes.md: the opcode table for people. scripts/generate-opcodes.ts writes it. */
import type { OpcodeRow, OperandWidth } from '../interp/opcodes/row.js';

/** The rows of one file of interp/opcodes. */
export interface OpcodeFamily {
  /** The file's name without its ending. */
  readonly name: string;
  readonly rows: readonly OpcodeRow[];
}

const WIDTHS: Readonly<Record<OperandWidth, string>> = {
  b: '8',
  v: '16, 32, 64',
  v64: '16, 32; 64 in 64-bit mode',
  d64: '16, 32; 64 or 16 in 64-bit mode',
  f64: '16, 32; 64 in 64-bit mode',
  z: '16, 32',
  y: '32, 64',
  none: '',
};

const LEGACY: Readonly<Record<string, string>> = { 'F3 0F BC /r': 'BSF', 'F3 0F BD /r': 'BSR', 'F3 0F 09': 'WBINVD' };

const MODES = { no64: 'not 64-bit', only64: '64-bit' } as const;

function forms({ reg, mem, encoding }: OpcodeRow): string {
  if (!/\/[r0-7]/.test(encoding)) return '';
  return reg && mem ? 'register, memory' : reg ? 'register' : 'memory';
}

function line(row: OpcodeRow): string {
  const cells = [
    `${row.refuses ? 'NP ' : ''}${row.encoding}`,
    row.name,
    forms(row),
    WIDTHS[row.size],
    row.modes ? MODES[row.modes] : '',
    row.feature === undefined ? '' : row.legacy ? `${row.feature}, else ${LEGACY[row.encoding]}` : row.feature,
    row.lock ? 'yes' : '',
    (row.undefinedFlags ?? []).join(' '),
  ];
  return `| ${cells.join(' | ')} |`;
}

const HEAD = `# Opcodes

<!-- Made by scripts/generate-opcodes.ts of interp/opcodes; do not edit: node scripts/build-interp.mjs --generate -->

Every encoding that the interpreter executes, from the one table that the decoder, the masks of undefined flags and the instruction
generator are made of (interp/opcodes/row.ts says how a row is written). What is not here raises #UD.

- *Encoding*: as the manual writes it (Intel SDM volume 2, 3.1.1). \`NP\`: with F2 or F3, or 66 too, it is not this instruction.
- *Instruction*: with the operand codes of SDM volume 2, appendix A.
- *Operand*: what ModRM.rm may be.
- *Widths*: operand sizes in bits; empty where the size does not count.
- *Modes*: empty where the encoding exists in all.
- *Feature*: by the name that Linux gives it; where CPUID does not show it to the guest the bytes are #UD, or what they were before.
- *LOCK*: allowed with a memory destination; elsewhere it is #UD.
- *Undefined flags*: what the manual leaves undefined; the interpreter does what silicon does (interp/execute/vendor.ts).
`;

/** The whole file. */
export function opcodeReference(families: readonly OpcodeFamily[]): string {
  const sections = families
    .map(({ name, rows }) => ({ name, rows: rows.filter((row) => row.name !== 'undefined') }))
    .filter(({ rows }) => rows.length > 0)
    .map(({ name, rows }) =>
      [
        `\n## ${name}\n`,
        '| Encoding | Instruction | Operand | Widths | Modes | Feature | LOCK | Undefined flags |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
        ...rows.map(line),
        '',
      ].join('\n'),
    );
  return `${HEAD}${sections.join('')}`;
}

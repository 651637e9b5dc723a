/** BMI1 and BMI2: instructions of general registers with a VEX prefix (SDM vol. 1, 5.1.16.1; vol. 2). TZCNT is in bits.ts. */
import type { OpcodeRow } from './row.js';

function row(
  feature: string,
  encoding: string,
  name: string,
  call: string,
  undefinedFlags: readonly string[] = [],
): OpcodeRow {
  return {
    encoding: `VEX.LZ.${encoding}`,
    name,
    size: 'y',
    feature,
    reg: `${call}(op, getReg<T>(opRm(op)))`,
    mem: `${call}(op, vexMemory<T>(op))`,
    ...(undefinedFlags.length > 0 ? { undefinedFlags } : {}),
  };
}

const logic = ['AF', 'PF'];

/** See the file's head. */
export const rows: OpcodeRow[] = [
  row('bmi1', '0F38 F2 /r', 'ANDN Gy,By,Ey', 'andn<T>', logic),
  row('bmi1', '0F38 F3 /1', 'BLSR By,Ey', 'blsr<T>', logic),
  row('bmi1', '0F38 F3 /2', 'BLSMSK By,Ey', 'blsmsk<T>', logic),
  row('bmi1', '0F38 F3 /3', 'BLSI By,Ey', 'blsi<T>', logic),
  row('bmi1', '0F38 F7 /r', 'BEXTR Gy,Ey,By', 'bextr<T>', ['SF', 'AF', 'PF']),
  row('bmi2', '0F38 F5 /r', 'BZHI Gy,Ey,By', 'bzhi<T>', logic),
  row('bmi2', 'F3.0F38 F5 /r', 'PEXT Gy,By,Ey', 'pext<T>'),
  row('bmi2', 'F2.0F38 F5 /r', 'PDEP Gy,By,Ey', 'pdep<T>'),
  row('bmi2', 'F2.0F38 F6 /r', 'MULX Gy,By,Ey', 'mulx<T>'),
  row('bmi2', '66.0F38 F7 /r', 'SHLX Gy,Ey,By', 'shlx<T>'),
  row('bmi2', 'F3.0F38 F7 /r', 'SARX Gy,Ey,By', 'sarx<T>'),
  row('bmi2', 'F2.0F38 F7 /r', 'SHRX Gy,Ey,By', 'shrx<T>'),
  row('bmi2', 'F2.0F3A F0 /r ub', 'RORX Gy,Ey,Ib', 'rorx<T>'),
];

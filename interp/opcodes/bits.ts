/** BT, BTS, BTR, BTC, BSF, BSR, POPCNT, LZCNT, TZCNT, CRC32, ADCX, ADOX (SDM vol. 2). */
import type { OpcodeRow } from './row.js';

/** ZF stays; Intel and AMD leave the others too. */
const bitFlags = { undefinedFlags: ['OF', 'SF', 'AF', 'PF'] };
const scanFlags = { undefinedFlags: ['CF', 'OF', 'SF', 'AF', 'PF'] };

function family(name: string, kind: string, opcode: string, group: number): OpcodeRow[] {
  const lock = kind === 'BIT_TEST' ? {} : { lock: true as const };
  return [
    {
      encoding: `0F ${opcode} /r`,
      name: `${name} Ev,Gv`,
      size: 'v',
      ...lock,
      ...bitFlags,
      reg: `bitRmReg<T>(op, ${kind})`,
      mem: `bitMemReg<T>(op, ${kind})`,
    },
    {
      encoding: `0F BA /${group} ib`,
      name: `${name} Ev,Ib`,
      size: 'v',
      ...lock,
      ...bitFlags,
      reg: `bitRmImm<T>(op, ${kind})`,
      mem: `bitMemImm<T>(op, ${kind})`,
    },
  ];
}

function calls(name: string): Pick<OpcodeRow, 'reg' | 'mem'> {
  return { reg: `${name}RegRm<T>(op)`, mem: `${name}RegMem<T>(op)` };
}

/** Without the feature: BSF, BSR. */
function legacy(feature: string): Pick<OpcodeRow, 'feature' | 'legacy'> {
  return { feature, legacy: true };
}

/** See the file's head. */
export const rows: OpcodeRow[] = [
  ...family('BT', 'BIT_TEST', 'A3', 4),
  ...family('BTS', 'BIT_SET', 'AB', 5),
  ...family('BTR', 'BIT_RESET', 'B3', 6),
  ...family('BTC', 'BIT_COMPLEMENT', 'BB', 7),
  { encoding: '0F BC /r', name: 'BSF Gv,Ev', size: 'v', ...scanFlags, ...calls('bsf') },
  { encoding: '0F BD /r', name: 'BSR Gv,Ev', size: 'v', ...scanFlags, ...calls('bsr') },
  { encoding: 'F3 0F B8 /r', name: 'POPCNT Gv,Ev', size: 'v', feature: 'popcnt', ...calls('popcnt') },
  { encoding: 'F3 0F BC /r', name: 'TZCNT Gv,Ev', size: 'v', ...legacy('bmi1'), ...bitFlags, ...calls('tzcnt') },
  { encoding: 'F3 0F BD /r', name: 'LZCNT Gv,Ev', size: 'v', ...legacy('abm'), ...bitFlags, ...calls('lzcnt') },
  { encoding: 'F2 0F 38 F0 /r', name: 'CRC32 Gd,Eb', size: 'b', feature: 'sse4_2', ...calls('crc32') },
  { encoding: 'F2 0F 38 F1 /r', name: 'CRC32 Gd,Ev', size: 'v', feature: 'sse4_2', ...calls('crc32') },
  { encoding: '66 0F 38 F6 /r', name: 'ADCX Gy,Ey', size: 'y', feature: 'adx', ...calls('adcx') },
  { encoding: 'F3 0F 38 F6 /r', name: 'ADOX Gy,Ey', size: 'y', feature: 'adx', ...calls('adox') },
];

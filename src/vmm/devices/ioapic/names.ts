/** The registers of the I/O APIC by name (82093AA data sheet, section 3). */
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';

const dword = (name: string, fields = '') => register(name, fields, 4);
const SELECT = dword('IOREGSEL');
const WINDOW = dword('IOWIN');
const registers = new Map<number, Register>([
  [bits.ID, dword('IOAPICID', '-:24 ID:4')],
  [bits.VERSION, dword('IOAPICVER', 'VERSION:8 -:8 MAX-ENTRY:8')],
  [bits.ARBITRATION, dword('IOAPICARB', '-:24 ID:4')],
]);
for (let pin = 0; pin < bits.PINS; pin++) {
  const fields = 'VECTOR:8 MODE:3 LOGICAL STATUS LOW IRR LEVEL MASKED';
  registers.set(bits.TABLE + 2 * pin, dword(`IOREDTBL${pin}.low`, fields));
  registers.set(bits.TABLE + 2 * pin + 1, dword(`IOREDTBL${pin}.high`, '-:24 DESTINATION:8'));
}

/** What an access at an offset of the window reaches; `select`: IOREGSEL. */
export function ioapicRegister(offset: number, select: number): Register | undefined {
  if (offset === bits.SELECT) return SELECT;
  return offset === bits.WINDOW ? (registers.get(select) ?? WINDOW) : undefined;
}

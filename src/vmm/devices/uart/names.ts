/** The registers of the PC16550D by name (data sheet, table II). */
import { type Register, register } from '../../register.js';

const LATCHES = [register('DLL'), register('DLM')];
const READ = [
  register('RBR'),
  register('IER', 'ERBFI ETBEI ELSI EDSSI'),
  register('IIR', 'NOT-PENDING ID:3 - - FIFOS:2'),
  register('LCR', 'WLS:2 STB PEN EPS STICK BREAK DLAB'),
  register('MCR', 'DTR RTS OUT1 OUT2 LOOP'),
  register('LSR', 'DR OE PE FE BI THRE TEMT FIFO-ERROR'),
  register('MSR', 'DCTS DDSR TERI DDCD CTS DSR RI DCD'),
  register('SCR'),
];
const WRITE = READ.map((one) => {
  if (one.name === 'RBR') return register('THR');
  if (one.name === 'IIR') return register('FCR', 'ENABLE CLEAR-RX CLEAR-TX DMA - - TRIGGER:2');
  return one;
});

/** The register at an offset from the base port. `isLatch`: DLAB is set. */
export function uartRegister(offset: number, isWrite: boolean, isLatch: boolean): Register | undefined {
  return (isLatch ? LATCHES[offset] : undefined) ?? (isWrite ? WRITE : READ)[offset];
}

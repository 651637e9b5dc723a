/** The registers of the keyboard controller by name (PS/2 Technical Reference). */
import { type Register, register } from '../../register.js';
import { COMMAND } from './registers.js';
import type { I8042State } from './state.js';

const STATUS = register('status', 'OBF IBF SYS A2 INH AUX-OBF TIMEOUT PARITY');
const COMMANDS = register('command');
const OUTPUT = register('output');
const COMMAND_BYTE = register('command-byte', 'INT AUX-INT SYS - KBD-OFF AUX-OFF XLATE');
const DATA: Readonly<Record<I8042State['expects'], Register>> = {
  keyboard: register('keyboard'),
  ram: register('ram'),
  'output-port': register('output-port', 'RESET# A20 - - IRQ1 IRQ12'),
  output: register('output'),
  aux: register('aux'),
};

/** What an access to `port` reaches. */
export function i8042Register(port: number, isWrite: boolean, { expects, ramIndex }: I8042State): Register {
  if (port === COMMAND) return isWrite ? COMMANDS : STATUS;
  if (!isWrite) return OUTPUT;
  return expects === 'ram' && ramIndex === 0 ? COMMAND_BYTE : DATA[expects];
}

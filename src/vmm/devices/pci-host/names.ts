/** CONFIG_ADDRESS by name, and CONFIG_DATA by the register of the function that it shows. */
import { hex } from '../../../base/hex.js';
import { type Register, register } from '../../register.js';
import * as bits from './registers.js';

const ADDRESS = register('CONFIG_ADDRESS', '-:2 REGISTER:6 FUNCTION:3 DEVICE:5 BUS:8 -:7 ENABLE', 4);
const DATA = register('CONFIG_DATA', '', 4);

/** What an access to `port` reaches; `address`: CONFIG_ADDRESS. */
export function pciRegister(port: number, address: number): Register | undefined {
  const lane = port - bits.DATA_PORT;
  if (lane < 0) return port === bits.ADDRESS_PORT ? ADDRESS : undefined;
  if (address < bits.ENABLE) return DATA;
  const [bus, device] = [(address >> 16) & 0xff, (address >> 11) & 0x1f].map((one) =>
    one.toString(16).padStart(2, '0'),
  );
  const offset = (address & bits.REGISTER_MASK) + lane;
  return register(`${bus}:${device}.${(address >> 8) & 7}+${hex(offset, 2)}`, '', 4 - lane);
}

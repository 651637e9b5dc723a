/**
 * What firmware asks QEMU's PC for, ports 510h and 511h (QEMU, docs/specs/fw_cfg.rst, the traditional interface of x86): a
 * 16-bit write to 510h selects an item and begins it, each byte read gives its next byte, and behind its end zeros. Guests made
 * for QEMU (kvm-unit-tests) wait for as many processors as it names. Items are fixed; files are there for firmware only, and DMA is not.
 */
import { assert } from '../../../base/assert.js';
import { type Register, register } from '../../register.js';
import { stateTable, u8, u16 } from '../../state/fields.js';
import { ByteDevice } from '../byte-device.js';

const SELECTOR = 0x510;
const DATA = 0x511;
/** The keys, as the document numbers them. */
const SIGNATURE = 0x00;
const ID = 0x01;
const RAM_SIZE = 0x03;
const CPU_COUNT = 0x05;
const MAX_CPUS = 0x0f;
const FILE_DIRECTORY = 0x19;
/** Files have keys from here on, and the directory names them. */
const FIRST_FILE = 0x20;
const NAME_SIZE = 56;
/** The longest item. */
const LONGEST = 255;

/** A file: the item that its name stands for. */
export interface FwCfgFile {
  /** Up to 55 ASCII characters. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The item, and how much of it was read. */
export const fwCfgState = stateTable('fw-cfg', 1, { selector: u16(), offset: u8({ max: LONGEST }) });

const SELECTOR_REGISTER = register('selector', '', 2);
const DATA_REGISTER = register('data');

/** A number of `size` bytes, little-endian. */
function number(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint16(0, value & 0xffff, true);
  for (let index = 2; index < size; index++) bytes[index] = Math.floor(value / 256 ** index) & 0xff;
  return bytes;
}

/** The directory: how many files there are, then of each size, key, a reserved word and name; numbers are big-endian here. */
function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * (8 + NAME_SIZE));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  for (const [index, file] of files.entries()) {
    const at = 4 + index * (8 + NAME_SIZE);
    view.setUint32(at, file.bytes.length);
    view.setUint16(at + 4, FIRST_FILE + index);
    bytes.set(Buffer.from(file.name, 'ascii'), at + 8);
  }
  return bytes;
}

/** See the head of the file. */
export class FwCfg extends ByteDevice<typeof fwCfgState> {
  readonly #items: ReadonlyMap<number, Uint8Array>;

  /** `memorySize`: bytes of RAM. Three files at most: an item has up to 255 bytes. */
  constructor(memorySize: number, files: readonly FwCfgFile[] = []) {
    super('fw-cfg', [{ base: SELECTOR, length: 2 }], fwCfgState);
    this.#items = new Map([
      [SIGNATURE, Uint8Array.from(Buffer.from('QEMU', 'ascii'))],
      [ID, number(1, 4)],
      [RAM_SIZE, number(memorySize, 8)],
      [CPU_COUNT, number(1, 2)],
      [MAX_CPUS, number(1, 2)],
      [FILE_DIRECTORY, directory(files)],
      ...files.map(({ bytes }, index) => [FIRST_FILE + index, bytes] as const),
    ]);
    for (const item of this.#items.values()) assert(item.length <= LONGEST, 'an item of fw_cfg has up to 255 bytes');
  }

  registerAt(port: number): Register | undefined {
    return port === SELECTOR ? SELECTOR_REGISTER : port === DATA ? DATA_REGISTER : undefined;
  }

  override writePort(port: number, size: number, value: number): void {
    if (port === SELECTOR && size >= 2) this.#select(value & 0xffff);
    else super.writePort(port, size, value);
  }

  protected readByte(): number {
    const { state } = this;
    const item = this.#items.get(state.selector);
    if (item === undefined || state.offset >= item.length) return 0;
    return item[state.offset++] as number;
  }

  protected writeByte(port: number, value: number): void {
    if (port === SELECTOR) this.#select(value);
  }

  #select(selector: number): void {
    this.state.selector = selector;
    this.state.offset = 0;
  }
}

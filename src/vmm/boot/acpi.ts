/**
 * The ACPI tables (ACPI specification 6.5, section 5.2; written as of ACPI 2.0 to 4.0, which every guest reads): RSDP, RSDT,
 * XSDT, FADT, FACS, DSDT, and what else a machine has. All of them lie in the BIOS's place below 1 MiB, which the memory map shows as reserved.
 *
 * Decisions:
 * - The MADT (madt.ts) is there if the machine has APICs, and comes in as `more`.
 * - There is no HPET table, for there is no HPET. No VGA; no MSI.
 * - The hardware is in ACPI mode from the start (see acpi-pm1); the reset register is CF9h.
 */
import { assert } from '../../base/assert.js';
import * as pm1 from '../devices/acpi-pm1/registers.js';
import type { GuestMemory } from '../memory.js';
import { dsdtCode } from './dsdt.js';
import { ACPI_ADDRESS, ACPI_SIZE } from './layout.js';
import { acpiTable, checksum, putText } from './table.js';

const HEADER_SIZE = 36;
const RSDP_SIZE = 36;
/** The part of the RSDP that ACPI 1.0 knew has a checksum of its own. */
const RSDP_OLD_SIZE = 20;
const FADT_SIZE = 244;
const FACS_SIZE = 64;
/** FACS: "64-byte aligned". The others have no such need; it makes dumps readable. */
const ALIGNMENT = 64;

/** IAPC_BOOT_ARCH (section 5.2.9.3): legacy devices, 8042, no VGA, no MSI. */
const BOOT_ARCHITECTURE = 0b1111;
/**
 * Flags (section 5.2.9, table 5.10): WBINVD (0) and the C1 state (2) work; no fixed power button (4), sleep button (5) nor
 * RTC wake status (6); the reset register is there (10).
 */
const FEATURES = 0b100_0111_0101;
/** P_LVL2_LAT, P_LVL3_LAT: more than 100 and 1000 microseconds say that there is no C2 or C3. */
const NO_STATE = 0xfff;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 6;
const PM_TIMER_BLOCK = 0x608;
/** The century's place in the CMOS; there is no alarm by day or month. */
const CMOS_CENTURY = 0x32;

function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const bytes = new Uint8Array(RSDP_SIZE);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, 'RSD PTR ');
  putText(bytes, 9, 'VMTAPE');
  view.setUint8(15, 2);
  view.setUint32(16, rsdt, true);
  view.setUint32(20, RSDP_SIZE, true);
  view.setBigUint64(24, BigInt(xsdt), true);
  view.setUint8(8, checksum(bytes.subarray(0, RSDP_OLD_SIZE)));
  view.setUint8(32, checksum(bytes));
  return bytes;
}

/** Section 5.2.10. Its waking vectors and flags are 0, and it has no checksum. */
function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_SIZE);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, 'FACS');
  view.setUint32(4, FACS_SIZE, true);
  view.setUint8(32, 1);
  return bytes;
}

/** A generic address (section 5.2.3.2) of ports: width in bits, access size 1 byte, 2 word, 3 dword. */
function putPorts(view: DataView, at: number, port: number, bits: number, access: number): void {
  view.setUint8(at, 1);
  view.setUint8(at + 1, bits);
  view.setUint8(at + 3, access);
  view.setBigUint64(at + 4, BigInt(port), true);
}

function fadt(dsdt: number, facsAddress: number): Uint8Array {
  return acpiTable('FACP', 3, FADT_SIZE, (view) => {
    view.setUint32(36, facsAddress, true);
    view.setUint32(40, dsdt, true);
    view.setUint16(46, pm1.SCI_IRQ, true);
    view.setUint32(56, pm1.EVENT_BLOCK, true);
    view.setUint32(64, pm1.CONTROL_BLOCK, true);
    view.setUint32(76, PM_TIMER_BLOCK, true);
    view.setUint8(88, pm1.EVENT_BLOCK_LENGTH);
    view.setUint8(89, pm1.CONTROL_BLOCK_LENGTH);
    view.setUint8(91, 4);
    view.setUint16(96, NO_STATE, true);
    view.setUint16(98, NO_STATE, true);
    view.setUint8(108, CMOS_CENTURY);
    view.setUint16(109, BOOT_ARCHITECTURE, true);
    view.setUint32(112, FEATURES, true);
    putPorts(view, 116, RESET_PORT, 8, 1);
    view.setUint8(128, RESET_VALUE);
    view.setBigUint64(140, BigInt(dsdt), true);
    putPorts(view, 148, pm1.EVENT_BLOCK, 8 * pm1.EVENT_BLOCK_LENGTH, 2);
    putPorts(view, 172, pm1.CONTROL_BLOCK, 8 * pm1.CONTROL_BLOCK_LENGTH, 2);
    putPorts(view, 208, PM_TIMER_BLOCK, 32, 3);
  });
}

/** RSDT or XSDT: the addresses of tables, `width` bytes each. */
function pointers(signature: 'RSDT' | 'XSDT', width: 4 | 8, addresses: readonly number[]): Uint8Array {
  return acpiTable(signature, 1, HEADER_SIZE + addresses.length * width, (view) => {
    for (const [index, address] of addresses.entries()) view.setUint32(HEADER_SIZE + index * width, address, true);
  });
}

/** Writes the tables, with `more` besides the FADT; returns the address of the RSDP. */
export function writeAcpiTables(memory: GuestMemory, more: readonly Uint8Array[] = []): number {
  memory.fill(ACPI_ADDRESS, ACPI_SIZE, 0);
  let next = ACPI_ADDRESS + ALIGNMENT;
  const put = (bytes: Uint8Array): number => {
    const address = next;
    assert(address + bytes.length <= ACPI_ADDRESS + ACPI_SIZE, 'the ACPI tables fit below 1 MiB');
    memory.write(address, bytes);
    next = Math.ceil((address + bytes.length) / ALIGNMENT) * ALIGNMENT;
    return address;
  };
  const code = dsdtCode(memory.ramSize);
  const dsdt = put(acpiTable('DSDT', 2, HEADER_SIZE + code.length, (_, bytes) => bytes.set(code, HEADER_SIZE)));
  const tables = [put(fadt(dsdt, put(facs()))), ...more.map(put)];
  memory.write(ACPI_ADDRESS, rsdp(put(pointers('RSDT', 4, tables)), put(pointers('XSDT', 8, tables))));
  return ACPI_ADDRESS;
}

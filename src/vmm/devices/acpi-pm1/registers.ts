/**
 * ACPI specification 6.5, sections 4.8.3.1 (PM1 event grouping) and 4.8.3.2 (PM1 control grouping). The blocks lie where the
 * FADT (src/vmm/boot/acpi.ts) says: events at 600h, control at 604h, before the PM timer at 608h.
 */

/** PM1a_EVT_BLK: status in the first two bytes, enable in the last two. */
export const EVENT_BLOCK = 0x600;
export const EVENT_BLOCK_LENGTH = 4;
/** PM1a_CNT_BLK. */
export const CONTROL_BLOCK = 0x604;
export const CONTROL_BLOCK_LENGTH = 2;

/** TMR_STS, TMR_EN: the most significant bit of the 24-bit timer changed. */
export const TIMER = 1 << 0;
/**
 * The enable bits that there are: the timer, the global lock (5), power button (8), sleep button (9) and RTC (10). Only the
 * timer has an event behind it.
 */
export const ENABLE_MASK = 0x0721;

/** SCI_EN. */
export const SCI_ENABLED = 1 << 0;
/** BM_RLD (1), which nothing follows from, and SLP_TYPx (10 to 12): bits that read back as written. */
export const CONTROL_MASK = 0x1c02;
/** SLP_TYPx. */
export const SLEEP_TYPE_SHIFT = 10;
export const SLEEP_TYPE_MASK = 7;
/** SLP_EN, "write-only": in the byte at 605h. */
export const SLEEP_ENABLE = 1 << 13;

/** SLP_TYPx of \_S5, soft off: our choice, told by the DSDT. */
export const SLEEP_TYPE_S5 = 5;
/** SCI_INT. */
export const SCI_IRQ = 9;

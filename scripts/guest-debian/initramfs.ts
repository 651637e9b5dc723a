/** The initramfs of the Debian guest: busybox and an /init that does a fixed piece of work. */
import { gzipSync } from 'node:zlib';
import { type CpioEntry, writeCpio } from './cpio.js';

const DIRECTORY = 0o040755;
const EXECUTABLE = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/** What runs as process 1. */
export const INIT_SCRIPT = `#!/bin/busybox sh
# Says that Linux is up, works, says that the work is done, and powers off.
echo BOOT-OK
busybox head -c 8388608 /dev/zero | busybox sha256sum
busybox cat /bin/busybox /bin/busybox | busybox head -c 2097152 | busybox gzip | busybox sha256sum
count=0
while [ $count -lt 20000 ]; do count=$((count + 1)); done
echo $count
echo WORK-OK
busybox poweroff -f
`;

/** The compressed archive; the same busybox gives the same bytes. */
export function buildInitramfs(busybox: Uint8Array): Buffer {
  const entries: CpioEntry[] = [
    { path: 'bin', mode: DIRECTORY },
    { path: 'bin/busybox', mode: EXECUTABLE, content: busybox },
    { path: 'dev', mode: DIRECTORY },
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { path: 'dev/null', mode: CHARACTER_DEVICE, device: [1, 3] },
    { path: 'dev/zero', mode: CHARACTER_DEVICE, device: [1, 5] },
    { path: 'init', mode: EXECUTABLE, content: Buffer.from(INIT_SCRIPT) },
    { path: 'tmp', mode: DIRECTORY },
  ];
  return gzipSync(writeCpio(entries), { level: 9 });
}

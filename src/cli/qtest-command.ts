/** The command line of the QEMU that is nearest to the machine of a trace, for its qtest script. */
import type { TraceHeader } from '../trace/header.js';

const KIB = 1024;
const MILLISECONDS = 1000;

/**
 * The arguments of qemu-system-x86_64 (7.2 or later). Its processor stands still: with `isTimed` because of the accelerator `qtest`,
 * whose clock goes by the script, else because of `-S`, with which the clock stands still too.
 */
export function qtestArguments({ memorySize, rtcTime }: TraceHeader, isTimed: boolean): string[] {
  const time = new Date(rtcTime * MILLISECONDS).toISOString().slice(0, -'.000Z'.length);
  return [
    ...(isTimed ? ['-accel', 'qtest'] : ['-S']),
    ...['-machine', 'pc,hpet=off', '-m', `${memorySize / KIB}K`, '-rtc', `base=${time},clock=vm`],
    ...['-nodefaults', '-display', 'none', '-serial', 'null'],
    ...['-chardev', 'null,id=debug', '-device', 'isa-debugcon,iobase=0xe9,chardev=debug'],
    ...['-qtest', 'stdio', '-qtest-log', 'none'],
  ];
}

/**
 * Runs machine code of 64-bit user mode on the processor of the host: a small C program maps code and data at fixed addresses,
 * calls the code once and returns the data.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the code lies, on the host and in the guest. */
export const CODE_ADDRESS = 0x40_0000;
/** Where the data begin. */
export const DATA_ADDRESS = 0x50_0000;

const SOURCE = `
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
static void *map(uintptr_t at, size_t size, int rights) {
  return mmap((void *)at, (size + 4095) & ~4095ul, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}
/* stdin: size of the code, size of the data, code, data. stdout: the data afterwards. */
int main(void) {
  uint32_t sizes[2];
  if (fread(sizes, 4, 2, stdin) != 2) return 2;
  char *code = map(${CODE_ADDRESS}, sizes[0], PROT_READ | PROT_WRITE | PROT_EXEC);
  char *data = map(${DATA_ADDRESS}, sizes[1], PROT_READ | PROT_WRITE);
  if (code != (char *)${CODE_ADDRESS} || data != (char *)${DATA_ADDRESS}) return 3;
  if (fread(code, 1, sizes[0], stdin) != sizes[0] || fread(data, 1, sizes[1], stdin) != sizes[1]) return 2;
  ((void (*)(void))code)();
  __asm__ volatile("fninit");
  return fwrite(data, 1, sizes[1], stdout) == sizes[1] ? 0 : 4;
}
`;

/** A built runner, or why there is none. */
export type NativeRunner = { run(code: Uint8Array, data: Uint8Array): Uint8Array; close(): void } | { missing: string };

/** Compiles the program; `missing` says why it cannot be had here. */
export function buildNativeRunner(): NativeRunner {
  if (process.arch !== 'x64' || process.platform !== 'linux') return { missing: 'this is not Linux on x86-64' };
  const directory = mkdtempSync(join(tmpdir(), 'vmtape-native-'));
  const program = join(directory, 'native');
  writeFileSync(`${program}.c`, SOURCE);
  const built = spawnSync('cc', ['-O1', '-no-pie', '-o', program, `${program}.c`, '-Wl,-Ttext-segment=0x10000000'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) {
    rmSync(directory, { recursive: true, force: true });
    return { missing: built.error ? 'there is no C compiler' : `cc failed: ${built.stderr}` };
  }
  return {
    run(code, data) {
      const input = new Uint8Array(8 + code.length + data.length);
      new Uint32Array(input.buffer, 0, 2).set([code.length, data.length]);
      input.set(code, 8);
      input.set(data, 8 + code.length);
      const done = spawnSync(program, { input, maxBuffer: 1 << 30 });
      if (done.status !== 0 || done.stdout.length !== data.length) {
        throw new Error(`the native program ended with ${done.status ?? done.signal}: ${done.stderr}`);
      }
      return done.stdout;
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The vendor of the host's processor, as CPUID leaf 0 has it. */
export function hostVendor(): string {
  return /AuthenticAMD/.test(readFileSync('/proc/cpuinfo', 'utf8')) ? 'AuthenticAMD' : 'GenuineIntel';
}

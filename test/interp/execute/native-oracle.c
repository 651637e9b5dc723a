/*
 * Executes single instructions of 64-bit and of 32-bit (compatibility) user mode on the processor itself. Cases come on stdin, results go to stdout; both are
 * arrays of the structures below (native-oracle.ts writes and reads them). Build: cc -O1 -o oracle native-oracle.c
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct case_in {
  uint8_t length, bits32, pad[6];
  uint8_t code[16];
  uint64_t registers[16];
  uint64_t flags;
  uint8_t memory[64];
};

struct case_out {
  uint32_t signal, pad;
  uint64_t registers[16];
  uint64_t flags;
  uint8_t memory[64];
};

/* Where code, memory operands and the exchange of registers lie: below 2 GiB, so that a 32-bit displacement reaches them. */
#define CODE 0x200000
#define DATA 0x210000
#define OPERAND (DATA + 0x800)
#define EXCHANGE 0x220000

/* EXCHANGE: own RSP, flags in, flags out, then registers in from 0x100, registers out from 0x200. */
#define OWN_RSP (EXCHANGE + 0)
#define FLAGS_IN (EXCHANGE + 8)
#define FLAGS_OUT (EXCHANGE + 16)
#define REGISTERS_IN (EXCHANGE + 0x100)
#define REGISTERS_OUT (EXCHANGE + 0x200)

static sigjmp_buf back;

static void on_signal(int number) { siglongjmp(back, number); }

/* mov reg, [address] (8B) or mov [address], reg (89), by absolute address. */
static uint8_t *move(uint8_t *p, int opcode, int reg, uint32_t address) {
  *p++ = 0x48 | (reg >> 3) << 2;
  *p++ = opcode;
  *p++ = 0x04 | (reg & 7) << 3;
  *p++ = 0x25;
  memcpy(p, &address, 4);
  return p + 4;
}

/* push [address] (/6 of FF) and pop [address] (/0 of 8F). */
static uint8_t *stack(uint8_t *p, int opcode, int extension, uint32_t address) {
  *p++ = opcode;
  *p++ = 0x04 | extension << 3;
  *p++ = 0x25;
  memcpy(p, &address, 4);
  return p + 4;
}

static const uint8_t save[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
static const uint8_t restore[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xc3};

static uint8_t *put(uint8_t *p, const void *bytes, size_t length) {
  memcpy(p, bytes, length);
  return p + length;
}

static void assemble64(const struct case_in *in) {
  uint8_t *p = put((uint8_t *)CODE, save, sizeof save);
  p = move(p, 0x89, 4, OWN_RSP);
  p = stack(p, 0xff, 6, FLAGS_IN);
  *p++ = 0x9d;
  for (int i = 0; i < 16; i++) p = move(p, 0x8b, i, REGISTERS_IN + 8 * i);
  p = put(p, in->code, in->length);
  for (int i = 0; i < 16; i++) p = move(p, 0x89, i, REGISTERS_OUT + 8 * i);
  p = move(p, 0x8b, 4, OWN_RSP);
  *p++ = 0x9c;
  p = stack(p, 0x8f, 0, FLAGS_OUT);
  put(p, restore, sizeof restore);
}

/* Linux's selectors of user code, 32 and 64 bits, and of user data. */
#define CODE32 0x23
#define CODE64 0x33
#define DATA32 0x2b
/* A stack that 32 bits can address. */
#define STACK32 (EXCHANGE + 0xf00)

static uint8_t *move32(uint8_t *p, int opcode, int reg, uint32_t address) {
  *p++ = opcode;
  *p++ = 0x05 | reg << 3;
  return put(p, &address, 4);
}

/* A far jump through the six bytes of its operand. */
static uint8_t *jump_far(uint8_t *p, uint32_t target, uint16_t selector) {
  *p++ = 0xea;
  p = put(p, &target, 4);
  return put(p, &selector, 2);
}

static void assemble32(const struct case_in *in) {
  uint8_t *p = put((uint8_t *)CODE, save, sizeof save);
  p = move(p, 0x89, 4, OWN_RSP);
  /* push CODE32; push target; retfq */
  *p++ = 0x6a;
  *p++ = CODE32;
  *p++ = 0x68;
  uint32_t target = (uint32_t)(uintptr_t)p + 6;
  p = put(p, &target, 4);
  *p++ = 0x48;
  *p++ = 0xcb;
  /* mov esp, STACK32; push [FLAGS_IN]; popf */
  *p++ = 0xbc;
  uint32_t own = STACK32;
  p = put(p, &own, 4);
  uint32_t flags = FLAGS_IN;
  *p++ = 0xff;
  *p++ = 0x35;
  p = put(p, &flags, 4);
  *p++ = 0x9d;
  for (int i = 0; i < 8; i++) p = move32(p, 0x8b, i, REGISTERS_IN + 8 * i);
  p = put(p, in->code, in->length);
  for (int i = 0; i < 8; i++) p = move32(p, 0x89, i, REGISTERS_OUT + 8 * i);
  *p++ = 0xbc;
  p = put(p, &own, 4);
  *p++ = 0x9c;
  *p++ = 0x8f;
  *p++ = 0x05;
  flags = FLAGS_OUT;
  p = put(p, &flags, 4);
  p = jump_far(p, (uint32_t)(uintptr_t)p + 7, CODE64);
  p = move(p, 0x8b, 4, OWN_RSP);
  put(p, restore, sizeof restore);
}

int main(void) {
  static uint8_t signal_stack[65536];
  stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&alternative, 0);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  int rights = PROT_READ | PROT_WRITE | PROT_EXEC;
  if (mmap((void *)CODE, 0x30000, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)CODE) return 2;
  /* Null in 64-bit mode, but needed by 32-bit code. */
  __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(DATA32));
  struct case_in in;
  struct case_out out;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    memset((void *)(DATA + 0x600), 0, 0x400);
    memcpy((void *)OPERAND, in.memory, 64);
    memcpy((void *)REGISTERS_IN, in.registers, 128);
    *(uint64_t *)FLAGS_IN = in.flags | 0x202;
    memset((void *)REGISTERS_OUT, 0, 128);
    *(uint64_t *)FLAGS_OUT = 0;
    (in.bits32 ? assemble32 : assemble64)(&in);
    volatile int caught = sigsetjmp(back, 1);
    if (caught == 0) {
      ((void (*)(void))CODE)();
      memcpy(out.registers, (void *)REGISTERS_OUT, 128);
      out.flags = *(uint64_t *)FLAGS_OUT;
      memcpy(out.memory, (void *)OPERAND, 64);
    }
    out.signal = caught;
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}

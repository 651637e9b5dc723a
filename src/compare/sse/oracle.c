/*
 * Executes single MMX and SSE instructions of 64-bit user mode on the processor itself. Cases come on stdin, results go to stdout: arrays of the
 * structures below (oracle.ts writes and reads them). Build: cc -O1 -o oracle oracle.c
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

struct case_in {
  uint64_t length;
  uint8_t code[16];
  uint64_t registers[16];
  uint64_t flags;
  uint8_t image[512];
  uint8_t memory[128];
};

struct case_out {
  uint32_t signal, mxcsr;
  uint64_t registers[16];
  uint64_t flags;
  uint8_t image[512];
  uint8_t memory[128];
};

/* Below 2 GiB, so that a 32-bit displacement reaches them. */
#define CODE 0x200000
#define OPERAND 0x210800
#define EXCHANGE 0x220000
#define OWN_RSP (EXCHANGE + 0)
#define FLAGS_IN (EXCHANGE + 8)
#define FLAGS_OUT (EXCHANGE + 16)
#define MXCSR_OWN (EXCHANGE + 24)
#define REGISTERS_IN (EXCHANGE + 0x100)
#define REGISTERS_OUT (EXCHANGE + 0x200)
#define IMAGE_IN (EXCHANGE + 0x400)
#define IMAGE_OUT (EXCHANGE + 0x800)

static sigjmp_buf back;
static uint32_t fault_mxcsr;

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)info;
  fault_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(back, number);
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t length) {
  memcpy(p, bytes, length);
  return p + length;
}

/* An instruction with an absolute memory operand: prefix or REX, opcode, ModRM.reg. */
static uint8_t *absolute(uint8_t *p, const char *opcode, size_t length, int reg, uint32_t address) {
  p = put(p, opcode, length);
  *p++ = 0x04 | (reg & 7) << 3;
  *p++ = 0x25;
  return put(p, &address, 4);
}

static uint8_t *move(uint8_t *p, int opcode, int reg, uint32_t address) {
  const char bytes[] = {(char)(0x48 | (reg >> 3) << 2), (char)opcode};
  return absolute(p, bytes, 2, reg, address);
}

static const uint8_t save[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
static const uint8_t restore[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xdb, 0xe3, 0xc3};

static void assemble(const struct case_in *in) {
  uint8_t *p = put((uint8_t *)CODE, save, sizeof save);
  p = move(p, 0x89, 4, OWN_RSP);
  p = absolute(p, "\xff", 1, 6, FLAGS_IN);
  *p++ = 0x9d;
  p = absolute(p, "\x48\x0f\xae", 3, 1, IMAGE_IN);
  for (int i = 0; i < 16; i++) p = move(p, 0x8b, i, REGISTERS_IN + 8 * i);
  p = put(p, in->code, in->length);
  for (int i = 0; i < 16; i++) p = move(p, 0x89, i, REGISTERS_OUT + 8 * i);
  p = absolute(p, "\x48\x0f\xae", 3, 0, IMAGE_OUT);
  p = move(p, 0x8b, 4, OWN_RSP);
  *p++ = 0x9c;
  p = absolute(p, "\x8f", 1, 0, FLAGS_OUT);
  p = absolute(p, "\x0f\xae", 2, 2, MXCSR_OWN);
  put(p, restore, sizeof restore);
}

int main(void) {
  static uint8_t signal_stack[65536];
  stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&alternative, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_SIGINFO};
  const int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  int rights = PROT_READ | PROT_WRITE | PROT_EXEC;
  if (mmap((void *)CODE, 0x30000, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)CODE) return 2;
  *(uint32_t *)MXCSR_OWN = 0x1f80;
  static struct case_in in;
  static struct case_out out;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    memcpy((void *)OPERAND, in.memory, sizeof in.memory);
    memcpy((void *)REGISTERS_IN, in.registers, sizeof in.registers);
    memcpy((void *)IMAGE_IN, in.image, sizeof in.image);
    *(uint64_t *)FLAGS_IN = in.flags | 0x202;
    assemble(&in);
    int caught = sigsetjmp(back, 0);
    if (caught == 0) {
      ((void (*)(void))CODE)();
      memcpy(out.registers, (void *)REGISTERS_OUT, sizeof out.registers);
      memcpy(out.image, (void *)IMAGE_OUT, sizeof out.image);
      out.flags = *(uint64_t *)FLAGS_OUT;
      memcpy(&out.mxcsr, out.image + 24, 4);
    } else {
      out.signal = (uint32_t)caught;
      out.mxcsr = fault_mxcsr;
    }
    memcpy(out.memory, (void *)OPERAND, sizeof out.memory);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}

/*
 * Runs the comparing guest's user code (src/compare/insn/layout.ts) in a process of the host: the processor itself, with Linux's signals in
 * the place of the guest's exception handlers. src/compare/insn/silicon.ts writes what comes on stdin and reads what goes to stdout.
 *
 * On stdin, all u64: struct head; `mappings` times struct mapping; `pieces` times address, length and that many bytes (a multiple of 8);
 * `results` times address and length. To stdout go the bytes of the results.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* The harness's labels (image.ts), and where an exception is noted (layout.ts, Result). */
struct head {
  uint64_t loop, back, end;
  uint64_t vector, error, rip, cs, flags, rsp, ss, cr2;
  uint64_t cases_left, hung;
  /* Two ranges of the guest's supervisor: address and end of each. */
  uint64_t supervisor[4];
  uint64_t ldt_base, ldt_limit;
  uint64_t mappings, pieces, results;
};

/* Rights are PROT_READ and so on; `from` is the address in the memory that all mappings share. */
struct mapping {
  uint64_t address, length, rights, from;
};

enum { USER_CODE = 0x33, USER_DATA = 0x2b, TRAP_FLAG = 0x100, PAGE_FAULT = 14 };

static struct head head;
static int memory;
static uint8_t bytes[1 << 22];
static sigjmp_buf finished;
static uint64_t own_fs_base;
static uint64_t cases_at_tick;
static uint8_t signal_stack[1 << 16] __attribute__((aligned(16)));

static void put(uint64_t address, uint64_t value) { *(volatile uint64_t *)address = value; }

/* Page tables are Linux's: what the guest says of a page is put back into the error code. */
static uint64_t error_code(uint64_t vector, uint64_t error, uint64_t cr2) {
  if (vector != PAGE_FAULT) return error;
  /* Linux says "present" of all above the end of a process (set_signal_archinfo); in the guest there is nothing. */
  if (cr2 >= 0x7ffffffff000) return error & ~1ull;
  /* No process has supervisor pages in its half: they are mapped without rights, or not at all. */
  for (int i = 0; i < 4; i += 2)
    if (cr2 >= head.supervisor[i] && cr2 < head.supervisor[i + 1]) return error | 1;
  return error;
}

/* What the handlers of image.ts do. No call of libc before FS is its own again. */
__attribute__((used)) static void on_signal(int number, siginfo_t *info, void *context) {
  (void)info;
  greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
  uint64_t rip = regs[REG_RIP];
  if (number == SIGVTALRM) {
    uint64_t left = *(volatile uint64_t *)head.cases_left;
    int is_same = left == cases_at_tick;
    cases_at_tick = left;
    if (!is_same || (rip >= head.loop && rip <= head.end)) return;
    put(head.vector, head.hung);
  } else if (rip == head.end) {
    __asm__ volatile("wrfsbase %0" ::"r"(own_fs_base));
    siglongjmp(finished, 1);
  } else {
    uint64_t vector = regs[REG_TRAPNO];
    put(head.vector, vector);
    put(head.error, error_code(vector, regs[REG_ERR], regs[REG_CR2]));
    put(head.rip, rip);
    put(head.cs, regs[REG_CSGSFS] & 0xffff);
    put(head.flags, regs[REG_EFL]);
    put(head.rsp, regs[REG_RSP]);
    put(head.ss, (uint64_t)regs[REG_CSGSFS] >> 48);
    put(head.cr2, regs[REG_CR2]);
  }
  regs[REG_RIP] = head.back;
  regs[REG_EFL] &= ~TRAP_FLAG;
  regs[REG_CSGSFS] = (regs[REG_CSGSFS] & 0x0000ffffffff0000ull) | USER_CODE | (uint64_t)USER_DATA << 48;
}

/* AC may be set: clear it before anything that a compiler made. NT as image.ts does: sigreturn leaves it as it is now. */
void entry(int, siginfo_t *, void *);
__asm__(".text\nentry:\n pushfq\n andl $~0x44000, (%rsp)\n popfq\n jmp on_signal\n");

static int fail(const char *what) {
  perror(what);
  return 1;
}

static int get(void *bytes, size_t length) { return fread(bytes, 1, length, stdin) == length; }

static int map_memory(void) {
  memory = memfd_create("guest", 0);
  if (memory < 0 || ftruncate(memory, 1 << 28) != 0) return fail("memfd_create");
  for (uint64_t i = 0; i < head.mappings; i++) {
    struct mapping it;
    if (!get(&it, sizeof it)) return fail("mapping");
    void *at = mmap((void *)it.address, it.length, it.rights, MAP_SHARED | MAP_FIXED_NOREPLACE | (it.length <= 0x2000 ? MAP_POPULATE : 0), memory, it.from);
    if (at != (void *)it.address) return fail("mmap");
  }
  for (uint64_t i = 0; i < head.pieces; i++) {
    uint64_t piece[2];
    if (!get(piece, sizeof piece)) return fail("piece");
    if (piece[1] > sizeof bytes || !get(bytes, piece[1])) return fail("piece");
    if (pwrite(memory, bytes, piece[1], piece[0]) != (ssize_t)piece[1]) return fail("pwrite");
  }
  return 0;
}

/* Selector 7: a 16-bit code segment. */
static int set_ldt(void) {
  struct user_desc code = {
      .entry_number = 0,
      .base_addr = head.ldt_base,
      .limit = head.ldt_limit,
      .seg_32bit = 0,
      .contents = MODIFY_LDT_CONTENTS_CODE,
      .useable = 0,
  };
  return syscall(SYS_modify_ldt, 0x11, &code, sizeof code) == 0 ? 0 : fail("modify_ldt");
}

static void watch_signals(void) {
  stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = entry, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGVTALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  struct itimerval tick = {{0, 50000}, {0, 50000}};
  setitimer(ITIMER_VIRTUAL, &tick, 0);
}

int main(void) {
  if (!get(&head, sizeof head)) return fail("head");
  if (map_memory() != 0) return 1;
  if (head.ldt_limit != 0 && set_ldt() != 0) return 1;
  watch_signals();
  __asm__ volatile("rdfsbase %0" : "=r"(own_fs_base));
  if (sigsetjmp(finished, 1) == 0) __asm__ volatile("jmp *%0" ::"r"(head.loop) : "memory");
  struct itimerval none = {{0, 0}, {0, 0}};
  setitimer(ITIMER_VIRTUAL, &none, 0);
  /* push 2; popf; DF, AC and NT are what code of the compiler expects. FNINIT and MXCSR likewise. */
  uint32_t mxcsr = 0x1f80;
  __asm__ volatile("pushq $2\n popfq\n fninit\n ldmxcsr %0" ::"m"(mxcsr));
  for (uint64_t i = 0; i < head.results; i++) {
    uint64_t result[2];
    if (!get(result, sizeof result)) return fail("result");
    if (result[1] > sizeof bytes || pread(memory, bytes, result[1], result[0]) != (ssize_t)result[1]) return fail("pread");
    if (fwrite(bytes, 1, result[1], stdout) != result[1]) return fail("fwrite");
  }
  return fflush(stdout) == 0 ? 0 : fail("fflush");
}

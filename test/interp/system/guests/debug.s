# Debug exceptions (SDM vol. 3B, chapter 17): breakpoints on instructions, data and ports, RF, TF, MOV SS, general detect, INT1, branch
# steps. Started at 0x10000 in flat 32-bit mode. A verdict per line goes to port 0xE9; HLT ends. Build: sh build.sh
.code32
.include "flat32.inc"
.set CELL, 0x24000
.set PORT, 0x2f4
.set DEBUGCTL, 0x1d9

.macro dr0 value
  movl $\value, %eax
  mov %eax, %dr0
.endm
.macro dr7 value
  movl $\value, %eax
  mov %eax, %dr7
.endm
# Executes one instruction and expects the trap behind it, with these bits in DR6.
.macro hits name, bits, insn:vararg
  mov $92f, %ebp
  \insn
92:
  expect "\name", 1, \bits, 0, 0
.endm
.macro misses name, insn:vararg
  \insn
  expect "\name"
.endm
.macro set_tf steps=1
  movl $\steps, db_steps
  pushf
  orl $0x100, (%esp)
  popf
.endm

.globl start
start:
  prologue
  gate 0x80, int80, 0xee00

# Breakpoints on instructions. The handler returns with RF.
  movl $0x10000, db_rf
  mov $1f, %ebp
  dr0 1f
  dr7 0x01
  xor %ecx, %ecx
1: inc %ecx
  note %ecx
  expect "code: an instruction breakpoint is a fault, and RF lets the instruction go on", 1, 1, 0, 0, 1
  mov $1f, %ebp
  dr0 1f
  dr7 0x02
1: nop
  expect "code: G0 enables like L0", 1, 1, 0, 0
  dr0 1f
  dr7 0x04
1: nop
  expect "code: a breakpoint that is not enabled does nothing"
  mov $1f, %ebp
  dr0 1f
  movl $1f+1, %eax
  mov %eax, %dr1
  mov %eax, %dr2
  mov %eax, %dr3
  dr7 0x55
1: nop
  nop
  expect "code: breakpoints at one instruction are reported together", 1, 1, 0, 0, 1, 0xe, 1, 0
  mov $1f, %ebp
  mov $2, %ecx
  dr0 1f
  dr7 0x01
1: loop 1b
  expect "code: RF holds for one instruction: a loop meets its breakpoint again", 1, 1, 0, 0, 1, 1, 0, 0
  mov $1f, %ebp
  mov $3, %ecx
  mov $CELL, %edi
  dr0 1f
1: rep stosb
  note %ecx
  expect "code: RF holds for all iterations of a REP instruction", 1, 1, 0, 0, 0
  dr0 1f
  pushf
  orl $0x10000, (%esp)
  push %cs
  push $1f
  iret
1: nop
  expect "code: IRET sets RF"
  mov $1f, %ebp
  dr0 1f
  pushf
  orl $0x10000, (%esp)
  popf
1: nop
  expect "code: POPF does not set RF", 1, 1, 0, 0
  mov %ss, %ecx
  dr0 1f
  mov %ecx, %ss
1: nop
  expect "code: MOV SS suppresses the breakpoint of the next instruction"
  dr0 1f+1
1: mov $5, %ecx
  expect "code: a breakpoint on the second byte of an instruction does nothing"
  mov $1f, %ebp
  mov $2f, %edi
  dr0 1f
1: ud2
2: expect "code: the breakpoint comes before the fault of its instruction", 1, 1, 0, 0, 6, 0
  mov $int80, %ebp
  dr0 int80
  int $0x80
  expect "code: a breakpoint at the first instruction of a handler", 1, 1, 0, 0, 0x80, 0
  dr7 0x00
  movl $0, db_rf

# Which RF is pushed.
  gate 6, flags_of_ud, 0x8e00
  mov $1f, %edi
  ud2
1: expect "flag: a fault pushes RF set", 1
  gate 6, stubs+0x60, 0x8e00
  push $1f
  pushf
  orl $0x10000, (%esp)
  push %cs
  push $2f
  iret
2: int $0x80
1: pop %ecx
  expect "flag: a software interrupt pushes RF clear", 0x80, 0

# Breakpoints on data: DR0 at CELL; writes 1, reads too 3; LEN 4 is 0xc.
  dr0 CELL
  dr7 0xd0001
  hits "data: a write of 4 bytes", 1, movl $5, CELL
  hits "data: a write of the last byte", 1, movb $5, CELL+3
  misses "data: a write before", movb $5, CELL-1
  misses "data: a write behind", movb $5, CELL+4
  hits "data: a write that begins before", 1, movl $5, CELL-1
  hits "data: a write that ends behind", 1, movl $5, CELL+3
  misses "data: a read is no write", movl CELL, %ecx
  hits "data: a read-modify-write", 1, incl CELL
  hits "data: CMPXCHG writes even if the comparison fails", 1, cmpxchg %ecx, CELL
  misses "data: CMP only reads", cmpl $1, CELL
  hits "data: a write by the FPU", 1, fnstcw CELL
  hits "data: a write of 108 bytes", 1, fnsave CELL-50
  dr7 0xf0001
  hits "data: a read, where reads count", 1, movl CELL, %ecx
  hits "data: a write, where reads count", 1, movl %ecx, CELL
  hits "data: a test of a bit", 1, btl $1, CELL
  dr7 0x10001
  hits "data: LEN 1: its byte", 1, movb $5, CELL
  misses "data: LEN 1: the byte behind", movb $5, CELL+1
  dr0 CELL+1
  dr7 0x50001
  hits "data: LEN 2 ignores the lowest bit of the address", 1, movb $5, CELL
  misses "data: LEN 2: the byte behind", movb $5, CELL+2
  dr0 CELL+3
  dr7 0x90001
  hits "data: LEN 8 ignores three bits of the address", 1, movb $5, CELL+7
  hits "data: LEN 8: its first byte", 1, movb $5, CELL
  misses "data: LEN 8: the byte behind", movb $5, CELL+8
  dr0 CELL+0x1000
  dr7 0x10001
  hits "data: a write across pages", 1, movl $5, CELL+0xffe
  dr0 CELL
  movl $CELL+2, %eax
  mov %eax, %dr3
  dr7 0x500d0041
  hits "data: two breakpoints met by one access", 9, movl $5, CELL
  hits "data: one of the two", 1, movb $5, CELL
  dr7 0xd0001
  mov $0xe00f, %eax
  mov %eax, %dr6
  hits "data: B0 to B3 are those of this exception, BD, BS and BT stay", 0xe001, movl $5, CELL
  mov %esp, %ecx
  lea -4(%ecx), %eax
  mov %eax, %dr0
  mov $1f, %ebp
  call 1f
1: pop %ecx
  dr7 0x00
  expect "data: a CALL whose return address is watched traps at its target", 1, 1, 0, 0
  dr7 0xd0001
  mov $1f, %ebp
  pushal
1: add $32, %esp
  dr7 0x00
  expect "data: PUSHA traps once", 1, 1, 0, 0
  dr7 0xd0001
  mov $int80, %ebp
  int $0x80
  dr7 0x00
  expect "data: an interrupt whose frame is watched traps at its handler", 1, 1, 0, 0, 0x80, 0
  dr0 gdt+0x38+5
  mov $0x38, %ecx
  dr7 0x10001
  hits "data: the accessed bit of a descriptor", 1, mov %ecx, %fs
  misses "data: which is written once", mov %ecx, %fs
  dr7 0x30001
  hits "data: a descriptor is read", 1, mov %ecx, %fs

# REP: between two iterations RF is pushed set.
  dr0 CELL
  dr7 0x50001
  cld
  mov $CELL-1, %edi
  mov $4, %ecx
  mov $1f, %ebp
1: rep stosb
  note %ecx
  expect "data: REP STOS traps between two iterations", 1, 1, 0, 1, 1, 1, 0, 1, 0
  mov $CELL-1, %edi
  mov $2, %ecx
  mov $1f, %ebp
1: rep stosb
  expect "data: and behind the last one", 1, 1, 2, 0
  mov $CELL, %esi
  mov $CELL+0x100, %edi
  mov $3, %ecx
  rep movsl
  expect "data: REP MOVS reads, which is no write"
  dr7 0x70001
  mov $CELL, %esi
  mov $CELL+0x100, %edi
  mov $3, %ecx
  mov $1f, %ebp
1: rep movsl
  expect "data: REP MOVS reads, where reads count", 1, 1, 0, 1
  dr7 0x00
  mov CELL+1, %bl
  not %bl
  dr7 0x70001
  mov %ebx, %eax
  mov $CELL+1, %edi
  mov $2, %ecx
  mov $1f, %ebp
1: repne scasb
  expect "data: REPNE SCAS", 1, 1, 0, 1

# Single steps.
  dr7 0x00
  mov $1f, %ebp
  set_tf 3
1: nop
  nop
  nop
  nop
  expect "step: TF traps behind each instruction", 1, 0x4000, 1, 0, 1, 0x4000, 2, 0, 1, 0x4000, 3, 0
  mov $1f, %ebp
  set_tf 9
1: pushf
  andl $~0x100, (%esp)
  popf
  nop
  expect "step: a POPF that clears TF is the last one to trap", 1, 0x4000, 1, 0, 1, 0x4000, 8, 0, 1, 0x4000, 9, 0
  mov $1f, %ebp
  set_tf
  int $0x80
1: nop
  expect "step: a software interrupt is not stepped into, its IRET sets TF for the next", 0x80, 0, 1, 0x4000, 1, 0
  mov $1f, %ebp
  mov %ss, %ecx
  set_tf
1: mov %ecx, %ss
  nop
  expect "step: MOV SS is not stepped", 1, 0x4000, 3, 0
  mov $1f, %ebp
  mov $3, %ecx
  mov $CELL+0x200, %edi
  set_tf 3
1: rep stosb
  expect "step: a step of each iteration", 1, 0x4000, 0, 1, 1, 0x4000, 0, 1, 1, 0x4000, 2, 0
  dr0 CELL
  dr7 0xd0001
  mov $1f, %ebp
  set_tf
  movl $5, CELL
1: expect "data: a step and a breakpoint are one exception", 1, 0x4001, 0, 0

# MOV SS holds data breakpoints back.
  dr7 0x00
  movl $0x10, CELL
  dr7 0xf0001
  mov $1f, %ebp
  mov CELL, %ss
  nop
1: expect "data: a breakpoint met by MOV SS traps behind the next instruction", 1, 1, 0, 0
  mov $1f, %ebp
  set_tf
  mov CELL, %ss
  nop
1: expect "data: and with the step of that instruction", 1, 0x4001, 0, 0
  dr7 0xff0005
  mov $CELL+4, %eax
  mov %eax, %dr1
  mov $1f, %ebp
  mov CELL, %ss
  mov %eax, CELL+4
1: expect "data: and with its breakpoint", 1, 3, 0, 0
  mov $int80, %ebp
  mov CELL, %ss
  int $0x80
  expect "data: or at the handler if it is a software interrupt", 1, 1, 0, 0, 0x80, 0
  mov %esp, CELL+0x80
  movl $0x10, CELL+0x84
  movl $CELL+0x80, %eax
  mov %eax, %dr0
  mov $1f, %ebp
  lss CELL+0x80, %esp
1: expect "data: LSS holds nothing back", 1, 1, 0, 0

# Ports.
  dr0 PORT
  dr7 0x20001
  mov $PORT, %edx
  in %dx, %al
  expect "port: without CR4.DE ports are not watched"
  mov %cr4, %eax
  or $8, %eax
  mov %eax, %cr4
  hits "port: an input", 1, in %dx, %al
  hits "port: an output", 1, out %al, %dx
  inc %edx
  misses "port: the port behind", in %dx, %al
  sub $2, %edx
  hits "port: a word that ends there", 1, in %dx, %ax
  movl $5, PORT
  expect "port: the same address in memory is no port"
  dr0 PORT+3
  dr7 0xe0001
  mov $PORT, %edx
  hits "port: LEN 4 ignores two bits of the port", 1, out %al, %dx
  mov $CELL, %esi
  mov $2, %ecx
  mov $1f, %ebp
1: rep outsb
  expect "port: REP OUTS", 1, 1, 0, 1, 1, 1, 2, 0
  faults mov %dr4, %eax
  expect "register: DR4 under CR4.DE", 6, 0
  mov %cr4, %eax
  and $~8, %eax
  mov %eax, %cr4
  dr7 0x00
  mov %dr5, %ecx
  note %ecx
  mov $0x300, %ecx
  mov %ecx, %dr5
  mov %dr7, %ecx
  note %ecx
  expect "register: DR5 is DR7 without", 0x400, 0x700

# Registers.
  xor %eax, %eax
  mov %eax, %dr6
  mov %dr6, %eax
  note %eax
  mov $-1, %eax
  mov %eax, %dr6
  mov %dr6, %eax
  note %eax
  expect "register: the fixed bits of DR6", 0xffff0ff0, 0xffffefff
  mov $0xd000, %eax
  mov %eax, %dr7
  mov %dr7, %eax
  note %eax
  expect "register: the fixed bits of DR7", 0x400
  mov $0x800, %eax
  mov %eax, %dr7
  mov %dr7, %eax
  note %eax
  expect "register: DR7.RTM, which the model has not", 0x400
  xor %eax, %eax
  mov %eax, %dr6
  mov $1f, %ebp
  dr7 0x2000
1: mov %dr0, %eax
  mov %dr7, %eax
  note %eax
  expect "register: general detect is a fault, and its handler finds GD clear", 1, 0x2000, 0, 1, 0x400
  hits "register: INT1 is a trap without a bit in DR6", 0, .byte 0xf1

# Branch steps.
  mov $DEBUGCTL, %ecx
  mov $2, %eax
  xor %edx, %edx
  wrmsr
  xor %ebx, %ebx
  mov $1f, %ebp
  set_tf
  nop
  jnz 2f
  jz 1f
2: nop
1: nop
  rdmsr
  note %eax
  expect "branch: BTF: a taken branch traps, and BTF is clear", 1, 0x4000, 0, 0, 0
  mov $2, %eax
  wrmsr
  mov $1f, %ebp
  set_tf
  lea 1(%ebx), %ebx
  .byte 0xeb, 0
1: expect "branch: BTF: a jump to the next instruction is a branch", 1, 0x4000, 0, 0
  mov $2, %eax
  wrmsr
  mov $3, %ecx
  mov $CELL+0x200, %edi
  mov $1f, %ebp
  set_tf
  rep stosb
  call 1f
1: pop %ecx
  expect "branch: BTF: REP is none, CALL is one", 1, 0x4000, 0, 0
  mov $DEBUGCTL, %ecx
  mov $0x40, %eax
  faults wrmsr
  expect "branch: a reserved bit of DEBUGCTL", 0xd, 0, 0

# Ring 3, with IOPL 3; a #UD leaves it.
  gate 6, finish, 0x8e00
  pushf
  orl $0x3000, (%esp)
  popf
  dr0 CELL
  movl $user_code, %eax
  mov %eax, %dr1
  dr7 0xd0005
  movl $0x10000, db_rf
  mov $user_code, %ebp
  enter_user user
user:
  mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
user_code:
  movl $5, CELL
  expect "user: breakpoints in ring 3", 1, 2, 0, 0, 1, 1, 10, 0
  mov $1f, %ebp
  set_tf
  nop
1: expect "user: a step in ring 3", 1, 0x4000, 0, 0
  faults mov %dr0, %eax
  expect "user: MOV DR in ring 3", 0xd, 0, 0
  mov $1f, %ebp
  .byte 0xf1
1: expect "user: INT1 in ring 3 through a gate of ring 0", 1, 0, 0, 0
  ud2
finish:
  mov %ss, %eax
  mov %eax, %ds
  mov %eax, %es
  xor %eax, %eax
  mov %eax, %dr7
  mov $1f, %ebp
  set_tf
  hlt
1: expect "step: a step of HLT ends it", 1, 0x4000, 0, 0
  hlt

int80:
  note $0x80
  push %eax
  mov 12(%esp), %eax
  shr $16, %eax
  and $1, %eax
  note %eax
  pop %eax
  iret

flags_of_ud:
  push %eax
  mov 12(%esp), %eax
  shr $16, %eax
  and $1, %eax
  note %eax
  pop %eax
  mov %edi, (%esp)
  iret

verdict_routines
handlers
.balign 8
gdt:
  flat_descriptors
  .quad 0x00cf92000000ffff   # 38 data, not accessed yet
gdt_end:
table_registers

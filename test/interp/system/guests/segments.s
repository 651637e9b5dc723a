# Every kind of descriptor against every way to use a selector (SDM vol. 3A, chapter 5; vol. 2): a line for each use, privilege level and
# type: 32 letters for P 1 and 0, DPL 0 to 3, RPL 0 to 3, the last one first to change. `.` it is fine, `G`, `N`, `S`, `T` #GP, #NP, #SS, #TS with the
# selector as error code, in lower case with 0; for VERR and its kin ZF; `-` not tried. Started at 0x10000 in flat 32-bit mode.
.code32
.include "flat32.inc"
.set SELECTOR, 0x38
.set CODE, 0x24000           # the segments of the privilege level
.set DATA, 0x24004
.set LEVEL, 0x24008          # '0' or '3'
.set TYPE, 0x2400c
.set PRESENT, 0x24010
.set DPL, 0x24014
.set RPL, 0x24018
.set OUTCOME, 0x2401c
.set USE, 0x24020
.set POINTER, 0x24024

# The IDT entry of an exception: notes its letter as the outcome, and goes on at EDI.
.macro outcome_of vector, letter
  jmp 2f
1: pushl $\letter
  jmp fault
2: gate \vector, 1b
.endm

.globl start
start:
  prologue
  outcome_of 10, 'T
  outcome_of 11, 'N
  outcome_of 12, 'S
  outcome_of 13, 'G
  movl $0x08, CODE
  movl $0x10, DATA
  movl $'0', LEVEL
  call all_uses
  enter_user 1f
1: mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
  movl $0x1b, CODE
  movl $0x23, DATA
  movl $'3', LEVEL
  call all_uses
  gate 6, 2f
  ud2
2: hlt

all_uses:
  mov $uses, %ebx
1: mov %ebx, USE
  movl $0, TYPE
2: call line
  incl TYPE
  cmpl $32, TYPE
  jb 2b
  mov USE, %ebx
  add $8, %ebx
  cmp $uses_end, %ebx
  jb 1b
  ret

# A line: name, level, type, letters.
line:
  mov USE, %ebx
  mov 4(%ebx), %eax
  mov $4, %ecx
1: out %al, $0xe9
  shr $8, %eax
  loop 1b
  mov LEVEL, %eax
  out %al, $0xe9
  mov $' ', %al
  out %al, $0xe9
  mov TYPE, %edx
  call print_hex
  mov $' ', %al
  out %al, $0xe9
  movl $1, PRESENT
2: movl $0, DPL
3: movl $0, RPL
4: call one
  incl RPL
  cmpl $4, RPL
  jb 4b
  incl DPL
  cmpl $4, DPL
  jb 3b
  decl PRESENT
  jns 2b
  mov $'\n', %al
  out %al, $0xe9
  ret

# Builds the descriptor and uses its selector, which is in EAX; the letter is written.
one:
  mov PRESENT, %eax
  shl $2, %eax
  or DPL, %eax
  shl $5, %eax
  or TYPE, %eax
  shl $8, %eax
  or $0x00cf0000, %eax
  movl $0xffff, gdt+SELECTOR
  mov %eax, gdt+SELECTOR+4
  mov RPL, %eax
  or $SELECTOR, %eax
  movl $'.', OUTCOME
  mov $one_done, %edi
  mov %esp, %ebp
  mov USE, %ebx
  jmp *(%ebx)
one_done:
  mov %cs:DATA, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov %ebp, %esp
  mov OUTCOME, %eax
  out %al, $0xe9
  ret

# An exception: the letter and the error code are on the stack.
fault:
  mov (%esp), %eax
  mov 4(%esp), %edx
  cmp $SELECTOR, %edx
  je 2f
  test %edx, %edx
  jz 1f
  mov $('?' ^ 0x20), %eax
1: xor $0x20, %eax
2: mov %eax, OUTCOME
  mov %edi, 8(%esp)
  add $8, %esp
  iret

use_ds:
  mov %eax, %ds
  jmp one_done
use_ss:
  mov %eax, %ss
  jmp one_done
use_jump:
  call refuse_tasks
  movl $2f, POINTER
  mov %ax, POINTER+4
  ljmp *POINTER
2: jmp old_code
use_call:
  call refuse_tasks
  movl $2f, POINTER
  mov %ax, POINTER+4
  lcall *POINTER
2:
old_code:
  movl $one_done, POINTER
  mov CODE, %eax
  mov %ax, POINTER+4
  ljmp *POINTER
# A far return; to an outer level it finds a null SS.
use_return:
  pushl $0
  pushl $0
  push %eax
  push $old_code
  lret
use_verr:
  verr %ax
  jmp zero_flag
use_verw:
  verw %ax
  jmp zero_flag
use_lar:
  lar %eax, %ecx
  jmp zero_flag
use_lsl:
  lsl %eax, %ecx
zero_flag:
  setz %al
  add $'0', %al
  movzbl %al, %eax
  mov %eax, OUTCOME
  jmp one_done

# No task is switched to here: an available TSS is left out.
refuse_tasks:
  mov TYPE, %ecx
  and $~8, %ecx
  cmp $1, %ecx
  jne 1f
  movl $'-', OUTCOME
  jmp one_done
1: ret

.balign 4
uses:
  .long use_ds
  .ascii "ds  "
  .long use_ss
  .ascii "ss  "
  .long use_jump
  .ascii "jmp "
  .long use_call
  .ascii "call"
  .long use_return
  .ascii "ret "
  .long use_verr
  .ascii "verr"
  .long use_verw
  .ascii "verw"
  .long use_lar
  .ascii "lar "
  .long use_lsl
  .ascii "lsl "
uses_end:

verdict_routines
handlers
.balign 8
gdt:
  flat_descriptors
  .quad 0                    # 38 the one that is tried
gdt_end:
table_registers

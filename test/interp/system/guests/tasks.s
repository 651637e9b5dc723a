# Task switches in 32-bit protected mode (SDM vol. 3A, chapter 7): JMP, CALL and IRET, task gates in GDT and IDT, 16-bit TSS, error
# codes of both tasks, T bit. Started at 0x10000 in flat 32-bit mode without paging. Results go to port 0xE0; HLT ends.
.code32
.set IDT, 0x20000
.set TSS, 0x21000
.set TASK, 0x21100
.set TASK16, 0x21200
.set HANDLER, 0x21300
.set STACK, 0x2a000

.macro report value:vararg
  mov \value, %eax
  out %eax, $0xe0
.endm
# ebp: the instruction that faults; edi: where to go on.
.macro faults insn:vararg
  mov $91f, %ebp
  mov $92f, %edi
91: \insn
92:
.endm
# The task at TASK is to begin at an address, with fresh registers.
.macro task entry
  movl $\entry, TASK+32
  movl $\entry, TASK+60
  movl $0x10, TASK+84
.endm

start:
  lgdt gdtr
  lidt idtr
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x2c000, %esp
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  ljmp $0x08, $1f
1:
  xor %ecx, %ecx
2: mov %ecx, %eax
  shl $4, %eax
  add $(stubs-start), %eax
  mov %ax, IDT(,%ecx,8)
  movw $0x08, IDT+2(,%ecx,8)
  movw $0x8e00, IDT+4(,%ecx,8)
  movw $1, IDT+6(,%ecx,8)
  inc %ecx
  cmp $20, %ecx
  jb 2b
  mov $0x30, %eax
  ltr %ax
  # The task of 32 bits: EFLAGS with CF, registers, selectors, I/O map.
  movl $0x2, TASK+36
  movl $0x11111111, TASK+40
  movl $0x22222222, TASK+44
  movl $0x33333333, TASK+48
  movl $0x44444444, TASK+52
  movl $STACK, TASK+56
  movl $0x66666666, TASK+64
  movl $resumed, TASK+68
  movl $0x10, TASK+72
  movl $0x08, TASK+76
  movl $0x10, TASK+80
  movl $0x10, TASK+84
  movl $0x10, TASK+88
  movl $0x00, TASK+92
  movl $0x48, TASK+96
  movl $0x680000, TASK+100

  # JMP: TR, LDTR, busy bits, link, NT, TS, registers; the old task's image.
  task jumped
  stc
  mov $0xabcd, %esi
  ljmp $0x38, $0
back:
  setc %al
  movzbl %al, %eax
  out %eax, $0xe0
  report %esi
  str %ecx
  report %ecx
  report $0xba
  clts

  # CALL, and back by IRET.
  task called
  lcall $0x38, $0x1234
  call busy_bits
  # Again: it goes on behind its IRET.
  lcall $0x38, $0
  # Through a task gate.
  task called
  lcall $0x50, $0

  # Errors found in the old task: busy, absent, too small, in the LDT, a gate whose TSS is in the LDT, a gate that is not present.
  faults ljmp $0x30, $0
  faults ljmp $0x58, $0
  faults lcall $0x60, $0
  mov $0x48, %ecx
  lldt %cx
  faults ljmp $0x04, $0
  faults ljmp $0x68, $0
  faults ljmp $0x70, $0
  call busy_bits
  # IRET under NT with a bad link.
  movw $0x38, TSS
  pushf
  orl $0x4000, (%esp)
  popf
  faults iret
  movw $0x07, TSS
  faults iret
  pushf
  andl $~0x4000, (%esp)
  popf

  # Errors found in the new task: DS beyond the table, not present; the LDT; EIP beyond CS.
  task unreached
  movl $0xf00, TASK+84
  lcall $0x38, $0
  task unreached
  movl $0x78, TASK+84
  lcall $0x38, $0
  task unreached
  movl $0x28, TASK+96
  movl $0x10, TASK+84
  mov $0x38, %ecx
  movw $0x80, IDT+8*10+2
  movw $0x8500, IDT+8*10+4
  call fresh_handler
  lcall $0x38, $0

  # The T bit: a trap before the first instruction.
  movl $0x48, TASK+96
  task trapped
  movw $1, TASK+100
  lcall $0x38, $0
  movw $0, TASK+100

  # 16 bits: a task whose code lies at 0x10000.
  movw $(task16-start), TASK16+14
  movw $0x0002, TASK16+16
  movw $0x1234, TASK16+18
  movw $0xb000, TASK16+26
  movw $0x10, TASK16+34
  movw $0x90, TASK16+36
  movw $0x98, TASK16+38
  movw $0x10, TASK16+40
  movw $0, TASK16+42
  mov $0x10, %ecx
  mov %ecx, %fs
  lcall $0x88, $0
  report %esi
  mov %fs, %ecx
  report %ecx

  # A task gate in the IDT: #GP with its error code on the new stack.
  movw $0x80, IDT+8*13+2
  movw $0x8500, IDT+8*13+4
  call fresh_handler
  mov $0xbeef, %esi
  mov $0x3f3, %ecx
  mov %ecx, %ds
after_gp:
  report %esi
  # INT through a task gate has none.
  movw $0x80, IDT+8*0x21+2
  movw $0xe500, IDT+8*0x21+4
  call fresh_handler
  int $0x21
after_int:
  report $0xf1
  hlt

fresh_handler:
  movl $handler, HANDLER+32
  movl $2, HANDLER+36
  movl $0x29000, HANDLER+56
  movl $0x10, HANDLER+72
  movl $0x08, HANDLER+76
  movl $0x10, HANDLER+80
  movl $0x10, HANDLER+84
  ret

# Access bytes of the two TSS descriptors.
busy_bits:
  movzbl gdt+0x30+5, %eax
  out %eax, $0xe0
  movzbl gdt+0x38+5, %eax
  out %eax, $0xe0
  ret

jumped:
  pushf
  setc %bl
  out %eax, $0xe0
  report %ecx
  report %esp
  str %ecx
  report %ecx
  sldt %ecx
  report %ecx
  mov %fs, %ecx
  report %ecx
  call busy_bits
  pop %eax
  out %eax, $0xe0
  movzwl TASK, %eax
  out %eax, $0xe0
  mov %cr0, %eax
  and $8, %eax
  out %eax, $0xe0
  # Where the old task stopped.
  mov TSS+32, %eax
  sub $back, %eax
  out %eax, $0xe0
  report TSS+64
  ljmp $0x30, $0

called:
  pushf
  pop %eax
  out %eax, $0xe0
  movzwl TASK, %eax
  out %eax, $0xe0
  call busy_bits
  mov $STACK, %esp
  iret
  report $0xa9
  pushf
  pop %eax
  out %eax, $0xe0
  iret
  hlt

unreached:
  report $0xbad
  hlt
# Where a fault of the new task goes on.
resumed:
  report $0x4e
  mov $STACK, %esp
  iret
  hlt
trapped:
  iret
  hlt

handler:
  mov %esp, %eax
  out %eax, $0xe0
  cmp $0x29000, %esp
  je 1f
  pop %eax
  out %eax, $0xe0
1:
  movzwl HANDLER, %eax
  out %eax, $0xe0
  # The task that faulted: which one is in the link; #TS came from TASK, #GP and INT from the first.
  cmpw $0x38, HANDLER
  je 2f
  mov TSS+32, %eax
  cmp $after_int, %eax
  je 3f
  movl $after_gp, TSS+32
3: iret
  jmp handler
2:
  # The LDT of TASK is mended, and it goes on at its end.
  movl $0x48, TASK+96
  movl $resumed, TASK+32
  movw $0x08, IDT+8*10+2
  movw $0x8e00, IDT+8*10+4
  iret
  jmp handler

.code16
task16:
  mov %sp, %ax
  movzwl %ax, %eax
  out %eax, $0xe0
  pushfw
  popw %ax
  out %eax, $0xe0
  mov %fs, %ax
  movzwl %ax, %eax
  out %eax, $0xe0
  iretw
.code32

.balign 16
stubs:
.set i, 0
.rept 20
  .balign 16
  .if i != 8 && (i < 10 || i > 14) && i != 17
  push $0
  .endif
  push $i
  jmp common
  .set i, i+1
.endr

common:
  push %eax
  report 4(%esp)
  report 8(%esp)
  mov 12(%esp), %eax
  sub %ebp, %eax
  out %eax, $0xe0
  report 16(%esp)
  cmpl $1, 4(%esp)
  jne 1f
  mov %dr6, %eax
  out %eax, $0xe0
  xor %eax, %eax
  mov %eax, %dr6
  jmp 2f
1:
  mov %edi, 12(%esp)
2:
  pop %eax
  add $8, %esp
  iret

.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff   # 08 code
  .quad 0x00cf93000000ffff   # 10 data
  .quad 0x00cffb000000ffff   # 18 code of ring 3
  .quad 0x00cff3000000ffff   # 20 data of ring 3
  .quad 0x00cf13000000ffff   # 28 data, not present
  .quad 0x0000890210000067   # 30 TSS of the first task
  .quad 0x0000890211000067   # 38 TASK
  .quad 0
  .quad 0x000082022000000f   # 48 LDT at 0x22000
  .word 0, 0x38, 0x8500, 0   # 50 task gate to TASK
  .quad 0x0000090211000067   # 58 TSS, not present
  .quad 0x0000890211000066   # 60 TSS, too small
  .word 0, 0x0c, 0x8500, 0   # 68 task gate to the LDT
  .word 0, 0x38, 0x0500, 0   # 70 task gate, not present
  .quad 0x00cf13000000ffff   # 78 data, not present
  .quad 0x0000890213000067   # 80 HANDLER
  .quad 0x000081021200002b   # 88 TASK16
  .quad 0x00009b010000ffff   # 90 16-bit code at 0x10000
  .quad 0x000093000000ffff   # 98 16-bit data
gdt_end:
gdtr: .word gdt_end-gdt-1
  .long gdt
idtr: .word 0x7ff
  .long IDT

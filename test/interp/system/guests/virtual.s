# Virtual-8086 mode (SDM vol. 3A, chapter 21): entry by IRET, faults and gates out of it, IOPL-sensitive instructions, I/O map, the
# extensions of CR4.VME. Started at 0x10000 in flat 32-bit mode without paging. Results go to port 0xE0; HLT ends.
.code32
.set IDT, 0x20000
.set TSS, 0x21000

.macro report value:vararg
  mov \value, %eax
  out %eax, $0xe0
.endm
# bp: the instruction that faults; di: where to go on.
.macro faults insn:vararg
  mov $(91f-start), %bp
  mov $(92f-start), %di
91: \insn
92:
.endm
.macro gate vector, handler, type
  movw $(\handler-start), IDT+8*\vector
  movw $0x08, IDT+8*\vector+2
  movw $\type, IDT+8*\vector+4
  movw $1, IDT+8*\vector+6
.endm
.macro enter entry, flags
  pushl $0x6000
  pushl $0x5000
  pushl $0x4000
  pushl $0x3000
  pushl $0x1000
  pushl $0xf000
  pushl $\flags
  pushl $0x1000
  pushl $(\entry-start)
  iret
.endm

start:
  lgdt gdtr
  lidt idtr
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x2c000, %esp
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
  movw $0xee00, IDT+8*3+4
  gate 0x23, stubs, 0xee00
  movw $0x18, IDT+8*0x23+2
  gate 0x84, finish, 0xee00
  movl $0x28000, TSS+4
  movw $0x10, TSS+8
  # Redirection map at 0x68, all to the guest but 0x21, 0x23 and 0x82 to 0x84; I/O map at 0x88: port 0x80 is forbidden.
  movw $0x88, TSS+102
  movl $0xa, TSS+0x68+4
  movl $0x1c, TSS+0x68+16
  movl $0x1, TSS+0x88+16
  mov $0x30, %eax
  ltr %ax
  # The guest's own vector 0x20.
  movw $(real20-start), 0x80
  movw $0x1000, 0x82
  enter first, 0x20002

.code16
first:
  mov %ds, %eax
  out %eax, $0xe0
  mov %gs, %eax
  out %eax, $0xe0
  mov %sp, %ax
  out %eax, $0xe0
  faults cli
  faults pushf
  faults popf
  faults int $0x20
  faults hlt
  faults in $0x80, %al
  faults lldt %ax
  mov $(92f-start), %di
  mov $(92f-start), %bp
  int3
92:
  # A limit of 64 KiB holds.
  mov $0xffff, %bx
  faults mov (%bx), %ax
  # To the 32-bit side.
  faults .byte 0x0f, 0x0b

# With the extensions and IOPL 0.
virtual_second:
  sti
  pushfw
  pop %ax
  movzwl %ax, %eax
  out %eax, $0xe0
  cli
  pushfw
  pop %ax
  out %eax, $0xe0
  sti
  int $0x20
  pushfw
  pop %ax
  out %eax, $0xe0
  faults int $0x21
  faults pushfl
  pushw $0x302
  faults popfw
  pushw $0x202
  popfw
  pushfw
  pop %ax
  out %eax, $0xe0
  faults .byte 0x0f, 0x0b
# With IOPL 3.
virtual_third:
  sti
  cli
  pushfl
  pop %eax
  out %eax, $0xe0
  int $0x20
  faults int $0x23
  int $0x84

real20:
  mov $0x20, %eax
  out %eax, $0xe0
  pushfw
  pop %ax
  out %eax, $0xe0
  mov %sp, %bx
  mov %ss:4(%bx), %ax
  out %eax, $0xe0
  iretw
.code32

finish:
  report $0xf1
  hlt

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
  movzwl %bp, %ecx
  mov 12(%esp), %eax
  sub %ecx, %eax
  out %eax, $0xe0
  report 16(%esp)
  cmpl $6, 4(%esp)
  je 3f
1: movzwl %di, %edi
  mov %edi, 12(%esp)
  pop %eax
  add $8, %esp
  iret
3: # UD: the flags and all segments; then the next part, if it was UD2.
  report 20(%esp)
  report 24(%esp)
  report 28(%esp)
  report 32(%esp)
  report 36(%esp)
  report 40(%esp)
  report 44(%esp)
  mov %ds, %eax
  out %eax, $0xe0
  mov %cs:part, %eax
  push $0x10
  pop %ds
  incl part
  cmp $1, %eax
  jb 1b
  ja 5f
  mov %cr4, %ecx
  or $1, %ecx
  mov %ecx, %cr4
  mov $0x2c000, %esp
  enter virtual_second, 0x20002
5:
  mov $0x2c000, %esp
  enter virtual_third, 0x23002

.balign 8
part: .long 0
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff   # 08 code
  .quad 0x00cf93000000ffff   # 10 data
  .quad 0x00cf9f000000ffff   # 18 conforming code
  .quad 0
  .quad 0
  .quad 0x00008902100000ff   # 30 TSS
gdt_end:
gdtr: .word gdt_end-gdt-1
  .long gdt
idtr: .word 0x7ff
  .long IDT

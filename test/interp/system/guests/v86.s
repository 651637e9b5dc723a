# Virtual-8086 mode and virtual interrupts (SDM vol. 3A, chapter 21; vol. 2): what IOPL guards, CR4.VME with VIF, VIP and the redirection map,
# CR4.PVI in ring 3. Started at 0x10000 in flat 32-bit mode. A verdict per line goes to port 0xE9; HLT ends. Build: sh build.sh
.code32
.include "flat32.inc"
.set IOPL3, 0x3000
.set VIF, 0x80000
.set VIP, 0x100000
.set SEEN, 0x20000           # of the system bits: VM

# A snippet that faults at its first instruction.
.macro refused name, vector, code, flags, insns:vararg
  enter_virtual \flags
  \insns
  leave_virtual
  expect "\name", \vector, \code, 0, SEEN | (\flags)
.endm
.macro invalid name, insns:vararg
  enter_virtual 0
  \insns
  leave_virtual
  expect "\name", 6, 0, SEEN
.endm
# A snippet whose instructions are fine and that ends with HLT, `length` bytes behind its begin; `after`: the system bits then.
.macro allowed name, flags, after, length, insns:vararg
  enter_virtual \flags
  \insns
  hlt
  leave_virtual
  expect "\name", 13, 0, \length, SEEN | (\after)
.endm
.macro cr4 value
  mov $\value, %eax
  mov %eax, %cr4
.endm

.globl start
start:
  prologue
  gate 0x21, stubs+16*18, 0xee00
  gate 0x24, stubs+16*18, 0x8e00
  gate 0x25, stubs+16*18, 0xee00, 0x18
  gate 3, stubs+16*3, 0xee00
  gate 4, stubs+16*4, 0xee00
  # The I/O map: port 0x80 is closed. Below it the redirection map: vectors 0x21 and 0x24 go to the IDT.
  movw $0x88, TSS+102
  movb $1, TSS+0x88+16
  movb $0x12, TSS+0x68+4
  # The guest's own table: vector 0x20 at 1000:real20.
  movw $(real20-start), 0x80
  movw $0x1000, 0x82

# IOPL 0.
  refused "IOPL 0: CLI", 13, 0, 0, cli
  refused "IOPL 0: STI", 13, 0, 0, sti
  refused "IOPL 0: PUSHF", 13, 0, 0, pushfw
  refused "IOPL 0: POPF", 13, 0, 0, popfw
  refused "IOPL 0: IRET", 13, 0, 0, iretw
  refused "IOPL 0: INT", 13, 0, 0, int $0x21
  enter_virtual 0
  int3
  leave_virtual
  expect "IOPL 0: INT3 goes through the IDT", 3, 1, SEEN
  enter_virtual 0
  movb $0x7f,%al
  addb $1,%al
  into
  leave_virtual
  expect "IOPL 0: INTO goes through the IDT", 4, 5, SEEN
  refused "IOPL 0: a closed port", 13, 0, 0, in $0x80,%al
  allowed "IOPL 0: an open port", 0, 0, 2, in $0x81,%al
  refused "IOPL 3 does not open a port", 13, 0, IOPL3, in $0x80,%al

# Privileged, and not known here.
  refused "HLT", 13, 0, IOPL3, hlt
  refused "CLTS", 13, 0, IOPL3, clts
  refused "MOV CR", 13, 0, IOPL3, movl %cr0,%eax
  refused "MOV DR", 13, 0, IOPL3, movl %dr0,%eax
  refused "LGDT", 13, 0, IOPL3, lgdtl 0
  refused "LMSW", 13, 0, IOPL3, lmsw %ax
  invalid "SLDT", sldt %ax
  invalid "STR", str %ax
  invalid "LLDT", lldt %ax
  invalid "VERR", verr %ax
  invalid "LAR", lar %ax,%ax
  invalid "ARPL", .byte 0x63, 0xc0
  refused "a word at FFFFh", 13, 0, 0, movw 0xffff,%ax
  enter_virtual 0
  movw $1,%sp
  pushw %ax
  leave_virtual
  expect "a push at SP 1 is #SS", 12, 0, 3, SEEN
  refused "a jump beyond 64 KiB", 13, 0, 0, .byte 0x66, 0xe9, 0, 0, 1, 0

# IOPL 3.
  allowed "IOPL 3: STI sets IF", IOPL3, IOPL3 | 0x200, 1, sti
  allowed "IOPL 3: CLI clears IF", IOPL3 | 0x200, IOPL3, 1, cli
  enter_virtual IOPL3
  pushw $0x202
  popfw
  hlt
  leave_virtual
  expect "IOPL 3: POPF sets IF and leaves IOPL", 13, 0, 4, SEEN | (IOPL3 | 0x200)
  enter_virtual IOPL3
  pushl $0x180002
  popfl
  hlt
  leave_virtual
  expect "IOPL 3: POPFD leaves VIF and VIP", 13, 0, 8, SEEN | (IOPL3)
  enter_virtual IOPL3
  int $0x21
  leave_virtual
  expect "IOPL 3: INT goes through the IDT", 18, 2, SEEN | IOPL3
  refused "IOPL 3: a gate of DPL 0", 13, 0x24*8+2, IOPL3, int $0x24
  refused "IOPL 3: a gate to ring 3", 13, 0x18, IOPL3, int $0x25
  mov virtual_frame, %ebx
  note 36(%ebx)
  note 40(%ebx)
  note 44(%ebx)
  note 48(%ebx)
  expect "the frame holds ES, DS, FS, GS", 0x4000, 0x3000, 0x5000, 0x6000
  enter_virtual IOPL3
  pushw $0x4002
  pushw $0x1000
  call 1f
  1: popw %ax
  addw $6,%ax
  pushw %ax
  iretw
  nop
  hlt
  leave_virtual
  expect "IOPL 3: IRET of 16 bits", 13, 0, 16, SEEN | IOPL3 | 0x4000

# CR4.VME and IOPL 0.
  cr4 0x01
  allowed "VME: STI sets VIF", 0, VIF, 1, sti
  allowed "VME: CLI clears VIF", VIF | 0x200, 0x200, 1, cli
  refused "VME: STI under VIP", 13, 0, VIP, sti
  allowed "VME: CLI under VIP", VIF | VIP, VIP, 1, cli
  enter_virtual VIF
  pushfw
  popw %ax
  hlt
  leave_virtual
  note %eax
  expect "VME: PUSHF shows VIF as IF, and IOPL 3", 13, 0, 2, SEEN | VIF, 0x3202
  enter_virtual 0x200
  pushfw
  popw %ax
  hlt
  leave_virtual
  note %eax
  expect "VME: PUSHF does not show IF", 13, 0, 2, SEEN | 0x200, 0x3002
  refused "VME: PUSHFD", 13, 0, 0, pushfl
  refused "VME: POPFD", 13, 0, 0, popfl
  enter_virtual 0
  pushw $0x3202
  popfw
  hlt
  leave_virtual
  expect "VME: POPF sets VIF, leaves IF and IOPL", 13, 0, 4, SEEN | (VIF)
  enter_virtual VIF | 0x200
  pushw $2
  popfw
  hlt
  leave_virtual
  expect "VME: POPF clears VIF", 13, 0, 3, SEEN | (0x200)
  enter_virtual VIP
  pushw $0x202
  popfw
  leave_virtual
  expect "VME: POPF of IF under VIP", 13, 0, 3, SEEN | VIP
  enter_virtual VIP
  pushw $2
  popfw
  hlt
  leave_virtual
  expect "VME: POPF without IF under VIP", 13, 0, 3, SEEN | (VIP)
  enter_virtual 0
  pushw $0x102
  popfw
  leave_virtual
  expect "VME: POPF of TF", 13, 0, 3, SEEN
  refused "VME: IRETD", 13, 0, 0, iretl
  enter_virtual 0
  pushw $0x202
  pushw $0x1000
  call 1f
  1: popw %ax
  addw $6,%ax
  pushw %ax
  iretw
  nop
  hlt
  leave_virtual
  expect "VME: IRET sets VIF", 13, 0, 16, SEEN | VIF
  enter_virtual VIP
  pushw $0x202
  pushw $0x1000
  pushw $0
  iretw
  leave_virtual
  expect "VME: IRET of IF under VIP", 13, 0, 8, SEEN | VIP
  enter_virtual VIF
  int $0x20
  hlt
  leave_virtual
  note %eax
  expect "VME: INT to the guest's own handler clears VIF, its IRET sets it", 13, 0, 2, SEEN | VIF, 0x3002
  refused "VME: INT whose bit is set needs IOPL 3", 13, 0, 0, int $0x21
  enter_virtual IOPL3
  int $0x21
  leave_virtual
  expect "VME: and goes through the IDT then", 18, 2, SEEN | IOPL3
  enter_virtual IOPL3 | 0x200
  int $0x20
  hlt
  leave_virtual
  note %eax
  expect "VME, IOPL 3: INT to the guest's own handler clears IF", 13, 0, 2, SEEN | IOPL3 | 0x200, 0x3002
  allowed "VME, IOPL 3: STI sets IF", IOPL3, IOPL3 | 0x200, 1, sti
  cr4 0

# CR4.PVI, ring 3, IOPL 0. The flags are noted after each.
  movw $0x68, TSS+102
  .macro flags_now
    pushfl
    andl $0x1a3200, (%esp)
    call note_value
  .endm
  push $2
  popf
  enter_user 1f
1: mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
  faults cli
  faults sti
  expect "ring 3 without PVI: CLI and STI", 13, 0, 0, 13, 0, 0
  gate 6, 2f
  ud2
2: call back_in_ring0
  gate 6, stubs+16*6
  cr4 0x02
  enter_user 1f
1: mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
  sti
  flags_now
  cli
  flags_now
  expect "PVI: STI sets VIF, CLI clears it", VIF, 0
  sti
  pushl $2
  popfl
  flags_now
  expect "PVI: POPFD leaves VIF", VIF
  gate 6, 2f
  ud2
2: call back_in_ring0
  gate 6, stubs+16*6
  pushl $0x23
  pushl $USER_STACK
  pushl $(VIP | 2)
  pushl $0x1b
  pushl $1f
  iret
1: mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
  faults sti
  expect "PVI: STI under VIP", 13, 0, 0
  cli
  flags_now
  expect "PVI: CLI under VIP", VIP
  gate 6, 2f
  ud2
2: call back_in_ring0
  gate 6, stubs+16*6
  cli
  sti
  cli
  pushf
  popl %eax
  and $0x80200, %eax
  note %eax
  expect "PVI: ring 0 has its IF", 0
  hlt

back_in_ring0:
  pop %ecx
  mov %ss, %eax
  mov %eax, %ds
  mov %eax, %es
  mov $STACK, %esp
  jmp *%ecx

.code16
# The guest's handler: AX gets FLAGS as they are here.
real20:
  pushfw
  popw %ax
  iretw
.code32

verdict_routines
handlers
.balign 8
gdt:
  flat_descriptors
gdt_end:
table_registers

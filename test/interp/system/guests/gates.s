# Interrupt, trap and call gates, inner stacks, returns to outer levels, double faults (SDM vol. 3A, 5.8, 6.12 and 6.15): each check with its
# error code and EXT. Started at 0x10000 in flat 32-bit mode. A verdict per line goes to port 0xE9; HLT ends. Build: sh build.sh
.code32
.include "flat32.inc"
.set STACK1, 0x29000
.set GATE, 0x58
.set IDT_CODE, 0x90*8+2
.set POINTER, 0x24000

# INT 90h through a gate fails.
.macro int_fails name, vector, code, type, selector=0x38
  gate 0x90, ring1, \type, \selector
  faults int $0x90
  expect "\name", \vector, \code, 0
.endm
# The inner stack of ring 1.
.macro stack1 selector, pointer=STACK1
  movl $\pointer, TSS+12
  movw $\selector, TSS+16
.endm
.macro stack_fails name, vector, code, selector, pointer=STACK1
  stack1 \selector, \pointer
  faults int $0x90
  expect "INT, \name", \vector, \code, 0
  faults lcall $(GATE+3), $0
  expect "CALL, \name", \vector, \code, 0
  faults ud2
  expect "an exception, \name", \vector, \code | 1, 0
.endm
# The call gate at GATE: its type and DPL, parameters, selector.
.macro call_gate type, selector=0x38, target=called
  movl $\target, gdt+GATE
  movw $\selector, gdt+GATE+2
  movl $\target, gdt+GATE+4
  movw $\type, gdt+GATE+4
.endm
.macro call_fails name, vector, code, type, selector=0x38
  call_gate \type, \selector
  faults lcall $(GATE+3), $0
  expect "\name", \vector, \code, 0
.endm
# A far return or IRET to an outer level fails.
.macro return_fails name, vector, code, cs, ss
  pushl $\ss
  pushl $USER_STACK
  pushl $\cs
  pushl $1f
  faults lret
  mov $STACK, %esp
  expect "RETF, \name", \vector, \code, 0
  pushl $\ss
  pushl $USER_STACK
  pushl $2
  pushl $\cs
  pushl $1f
  faults iret
  mov $STACK, %esp
  expect "IRET, \name", \vector, \code, 0
1:
.endm

.globl start
start:
  prologue

# Returns from ring 0.
  return_fails "CS null", 13, 0, 3, 0x23
  return_fails "CS beyond the GDT", 13, 0x1f8, 0x1fb, 0x23
  return_fails "CS data", 13, 0x20, 0x23, 0x23
  return_fails "CS of a DPL below its RPL", 13, 0x08, 0x0b, 0x23
  return_fails "CS not present", 11, 0x88, 0x8b, 0x23
  return_fails "SS null", 13, 0, 0x1b, 0
  return_fails "SS beyond the GDT", 13, 0x1f8, 0x1b, 0x1fb
  return_fails "SS of another RPL", 13, 0x20, 0x1b, 0x20
  return_fails "SS of another DPL", 13, 0x10, 0x1b, 0x13
  return_fails "SS code", 13, 0x18, 0x1b, 0x1b
  return_fails "SS read-only", 13, 0x90, 0x1b, 0x93
  return_fails "SS not present", 12, 0x78, 0x1b, 0x7b
  return_fails "EIP beyond CS", 13, 0, 0x83, 0x23

# Double faults.
  movb $0x0e, IDT+8*13+5
  mov $0x1f8, %ecx
  faults mov %ecx, %ds
  movb $0x8e, IDT+8*13+5
  expect "#GP whose gate is not present is a double fault", 8, 0, 0
  movb $0x0e, IDT+5
  xor %ecx, %ecx
  faults div %ecx
  movb $0x8e, IDT+5
  expect "#DE whose gate is not present is a double fault", 8, 0, 0
  movb $0x0e, IDT+8*6+5
  faults ud2
  movb $0x8e, IDT+8*6+5
  expect "#UD whose gate is not present is #NP with EXT", 11, 6*8+3, 0

# Ring 3. What it may not have is null.
  mov $0x23, %eax
  mov %eax, %fs
  mov $0x48, %eax
  mov %eax, %gs
  enter_user user
user:
  mov %ds, %eax
  mov $0x23, %ecx
  mov %ecx, %ds
  mov %ecx, %es
  note %eax
  mov %fs, %eax
  note %eax
  mov %gs, %eax
  note %eax
  expect "IRET to ring 3 drops what it may not have", 0, 0x23, 0x48

# Gates of the IDT.
  stack1 0x41
  int_fails "a gate of DPL 0", 13, IDT_CODE, 0x8e00
  int_fails "a gate that is not present", 11, IDT_CODE, 0x6e00
  int_fails "a gate of DPL 0 that is not present", 13, IDT_CODE, 0x0e00
  int_fails "a call gate in the IDT", 13, IDT_CODE, 0xec00
  int_fails "a segment in the IDT", 13, IDT_CODE, 0xfe00
  int_fails "a TSS in the IDT", 13, IDT_CODE, 0xe900
  int_fails "a gate whose selector is null", 13, 0, 0xee00, 0
  int_fails "a gate beyond the GDT", 13, 0x1f8, 0xee00, 0x1f8
  int_fails "a gate into the LDT, which is not there", 13, 0x0c, 0xee00, 0x0c
  int_fails "a gate to data", 13, 0x10, 0xee00, 0x10
  int_fails "a gate to code that is not present", 11, 0x50, 0xee00, 0x50
  int_fails "a gate beyond the limit of its code", 13, 0, 0xee00, 0x70
  gate 3, ring1, 0x8e00
  faults int3
  expect "INT3 through a gate of DPL 0", 13, 3*8+2, 0
  gate 3, stubs+16*3
  gate 0x90, ring1, 0xee00, 0x18
  int $0x90
  expect "a gate to ring 3 stays there", 0x1b, 0x23
  gate 0x90, ring1, 0xee00, 0x48
  int $0x90
  expect "a gate to conforming code stays in ring 3", 0x4b, 0x23
  gate 0x90, ring1, 0xee00, 0x38
  int $0x90
  expect "a gate to ring 1", 0x39, 0x41
  mov $0x12345678, %esi
  gate 0x90, ring1_frame, 0xef00, 0x38
  mov %esp, %ebx
  int $0x90
1: sub %ebx, %ecx
  note %ecx
  expect "its frame: CS, SS, ESP", 0x1b, 0x23, 0

# Inner stacks.
  gate 0x90, ring1, 0xee00, 0x38
  gate 6, ring1, 0x8e00, 0x38
  call_gate 0xec00
  stack_fails "SS1 null", 10, 0, 0
  stack_fails "SS1 beyond the GDT", 10, 0x1f8, 0x1f9
  stack_fails "SS1 of RPL 0", 10, 0x40, 0x40
  stack_fails "SS1 of DPL 0", 10, 0x10, 0x11
  stack_fails "SS1 code", 10, 0x38, 0x39
  stack_fails "SS1 not present", 12, 0x60, 0x61
  stack_fails "SS1 without room", 12, 0x68, 0x69, 12
  stack1 0x41
  gate 6, stubs+16*6

# Call gates.
  call_fails "a call gate of DPL 0", 13, GATE, 0x8c00
  call_fails "a call gate that is not present", 11, GATE, 0x6c00
  call_fails "an interrupt gate in the GDT", 13, GATE, 0xee00
  call_fails "a call gate whose selector is null", 13, 0, 0xec00, 0
  call_fails "a call gate beyond the GDT", 13, 0x1f8, 0xec00, 0x1f8
  call_fails "a call gate to data", 13, 0x10, 0xec00, 0x10
  call_fails "a call gate to code that is not present", 11, 0x50, 0xec00, 0x50
  call_fails "a call gate beyond the limit of its code", 13, 0, 0xec00, 0x70
  call_gate 0xec00
  faults ljmp $(GATE+3), $0
  expect "JMP through a call gate to ring 1", 13, 0x38, 0
  call_gate 0xec00, 0x48, jumped
  ljmp $(GATE+3), $0
jumped:
  mov %cs, %eax
  note %eax
  expect "JMP through a call gate to conforming code", 0x4b
  ljmp $0x1b, $1f
1: call_gate 0xec02
  mov %esp, %ebx
  pushl $0x1111
  pushl $0x2222
  lcall $(GATE+3), $0
  sub %esp, %ebx
  note %ebx
  expect "CALL through a call gate with two parameters", 0x39, 0x41, 0x2222, 0x1111, 0x23, 0
  call_gate 0xec00, 0x18, called_here
  lcall $(GATE+3), $0
  expect "CALL through a call gate to ring 3", 0x1b
  gate 6, 2f
  ud2
2: hlt

# INT 90h: notes CS and SS.
ring1:
  push %eax
  mov %cs, %eax
  note %eax
  mov %ss, %eax
  note %eax
  pop %eax
  iret
# Notes CS and SS of the frame, and returns its ESP in ECX.
ring1_frame:
  mov 12(%esp), %ecx
  note 4(%esp)
  note 16(%esp)
  iret
# CALL: notes CS, SS, the parameters, SS of the frame.
called:
  mov %cs, %eax
  note %eax
  mov %ss, %eax
  note %eax
  note 8(%esp)
  note 12(%esp)
  note 20(%esp)
  lret $8
called_here:
  mov %cs, %eax
  note %eax
  lret

verdict_routines
handlers
.balign 8
gdt:
  flat_descriptors
  .quad 0x00cfbb000000ffff   # 38 code of ring 1
  .quad 0x00cfb3000000ffff   # 40 data of ring 1
  .quad 0x00cf9f000000ffff   # 48 conforming code
  .quad 0x00cf1b000000ffff   # 50 code, not present
  .quad 0                    # 58 the call gate
  .quad 0x00cf33000000ffff   # 60 data of ring 1, not present
  .quad 0x0040b3000000000f   # 68 data of ring 1, 16 bytes
  .quad 0x0040bb000000ffff   # 70 code of ring 1, 64 KiB
  .quad 0x00cf73000000ffff   # 78 data of ring 3, not present
  .quad 0x0040fb000000ffff   # 80 code of ring 3, 64 KiB
  .quad 0x00cf7b000000ffff   # 88 code of ring 3, not present
  .quad 0x00cff1000000ffff   # 90 data of ring 3, read-only
gdt_end:
table_registers

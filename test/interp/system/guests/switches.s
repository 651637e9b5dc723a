# Task switches under paging (SDM vol. 3A, chapter 7): CR3, and what goes wrong in each phase, where the exceptions 8 and 10 to 14 are tasks of
# their own, which note vector, error code, link, and EIP in the task of the link relative to EBP there. Started at 0x10000 in flat
# 32-bit mode. A verdict per line goes to port 0xE9; HLT ends. Build: sh build.sh
.code32
.include "flat32.inc"
.set TASK, 0x25000           # selector 40h; a page of its own
.set HANDLERS, 0x26000       # selectors 50h + 8 * (vector - 8): 100h bytes each
.set DIRECTORY, 0x30000
.set TABLE, 0x31000
.set DIRECTORY2, 0x32000
.set TABLE2, 0x33000
.set PAGE, 0x34000           # in the second address space it is 35000h
.set RESUME, 0x24000
.set FIRST_SEL, 0x30
.set TASK_SEL, 0x40
.set NP_DATA, 0x28

# A task that notes an exception and goes on in the first task at RESUME.
.macro handler_task vector, has_code
  movl $1f, HANDLERS+0x100*(\vector-8)+32
  jmp 2f
1: note $\vector
  .if \has_code
  call note_value              # the error code
  .endif
  movzwl HANDLERS+0x100*(\vector-8), %ebx
  note %ebx
  mov $TSS, %ecx
  cmp $FIRST_SEL, %ebx
  je 3f
  mov $TASK, %ecx
3: mov 32(%ecx), %eax
  sub 60(%ecx), %eax
  note %eax
  .if \vector == 14
  mov %cr2, %eax
  note %eax
  .endif
  mov RESUME, %eax
  mov %eax, TSS+32
  movw $FIRST_SEL, HANDLERS+0x100*(\vector-8)
  movb $0x8b, gdt+FIRST_SEL+5
  movb $0x89, gdt+TASK_SEL+5
  iret
  jmp 1b
2: movw $(0x50+8*(\vector-8)), IDT+8*\vector+2
  movw $0x8500, IDT+8*\vector+4
.endm
# What follows to `expect` is done with a fresh task, up to a switch that fails.
.macro try
  call fresh_task
  movl $92f, RESUME
  mov $91f, %ebp
.endm
.macro switch how=ljmp, selector=TASK_SEL
91: \how $\selector, $0
92: call mend
.endm

.globl start
start:
  prologue
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  # Two address spaces, alike but for one page.
  mov $TABLE, %ebx
  mov $7, %eax
1: mov %eax, (%ebx)
  mov %eax, TABLE2-TABLE(%ebx)
  add $0x1000, %eax
  add $4, %ebx
  cmp $TABLE+0x1000, %ebx
  jb 1b
  movl $0x35007, TABLE2+4*(PAGE>>12)
  movl $TABLE+7, DIRECTORY
  movl $TABLE2+7, DIRECTORY2
  movl $1, PAGE
  movl $2, 0x35000
  mov $DIRECTORY, %eax
  mov %eax, %cr3
  # The tasks of the exceptions.
  xor %ecx, %ecx
2: mov %ecx, %ebx
  shl $8, %ebx
  add $HANDLERS, %ebx
  movl $DIRECTORY, 28(%ebx)
  movl $2, 36(%ebx)
  lea 0x2a000(,%ecx,8), %eax
  shl $5, %ecx
  lea 0x2a100(%ecx), %eax
  shr $5, %ecx
  mov %eax, 56(%ebx)
  movl $0x10, 72(%ebx)
  movl $0x08, 76(%ebx)
  movl $0x10, 80(%ebx)
  movl $0x10, 84(%ebx)
  mov %ebx, %edx
  shl $16, %edx
  or $0x67, %edx
  mov %edx, gdt+0x50(,%ecx,8)
  mov %ebx, %edx
  shr $16, %edx
  or $0x8900, %edx
  mov %edx, gdt+0x54(,%ecx,8)
  inc %ecx
  cmp $7, %ecx
  jb 2b
  handler_task 8, 1
  handler_task 10, 1
  handler_task 11, 1
  handler_task 12, 1
  handler_task 13, 1
  handler_task 14, 1
  movl $DIRECTORY, TSS+28
  mov %cr0, %eax
  or $0x80010000, %eax
  mov %eax, %cr0
  jmp 3f
3:

# A switch that is fine: the other address space, and back.
  call fresh_task
  movl $DIRECTORY2, TASK+28
  movl $in_task, TASK+32
  lcall $TASK_SEL, $0
  note PAGE
  mov %cr3, %eax
  note %eax
  expect "CR3 is the task's, and IRET brings the old one back", 2, DIRECTORY2, FIRST_SEL, 1, DIRECTORY

# In the old task.
  try
  movl $0, TABLE+4*(TASK>>12)
  invlpg TASK
  switch
  expect "the new TSS is not in memory", 14, 0, FIRST_SEL, 0, TASK
  try
  movl $TASK+1, TABLE+4*(TASK>>12)
  invlpg TASK
  switch lcall
  expect "CALL: the new TSS cannot be written", 14, 3, FIRST_SEL, 0, TASK
  try
  movw $0x66, gdt+TASK_SEL
  switch
  expect "the new TSS is too small", 10, TASK_SEL, FIRST_SEL, 0
  try
  movb $0x8b, gdt+TASK_SEL+5
  switch
  expect "the new TSS is busy", 13, TASK_SEL, FIRST_SEL, 0
  try
  movb $0x09, gdt+TASK_SEL+5
  switch
  expect "the new TSS is not present", 11, TASK_SEL, FIRST_SEL, 0
  try
  pushf
  orl $0x4000, (%esp)
  popf
  movw $TASK_SEL, TSS
91: iret
92: call mend
  expect "IRET to a task that is not busy", 10, TASK_SEL, FIRST_SEL, 0

# In the new task: EIP is its own, relative to its EBP.
  .macro bad name, vector, code, insns:vararg
    try
    \insns
    switch
    expect "\name", \vector, \code, TASK_SEL, 0
  .endm
  bad "LDT in the LDT", 10, 0x4c, movl $0x4c, TASK+96
  bad "LDT that is none", 10, 0x10, movl $0x10, TASK+96
  bad "LDT beyond the GDT", 10, 0x1f8, movl $0x1f8, TASK+96
  bad "CS null", 10, 0, movl $0, TASK+76
  bad "CS data", 10, 0x10, movl $0x10, TASK+76
  bad "CS beyond the GDT", 10, 0x1f8, movl $0x1f8, TASK+76
  bad "CS of another DPL", 10, 0x18, movl $0x18, TASK+76
  bad "CS not present", 11, 0x90, movl $0x90, TASK+76
  bad "SS null", 10, 0, movl $0, TASK+80
  bad "SS code", 10, 0x08, movl $0x08, TASK+80
  bad "SS read-only", 10, 0x98, movl $0x98, TASK+80
  bad "SS of another RPL", 10, 0x10, movl $0x13, TASK+80
  bad "SS of another DPL", 10, 0x20, movl $0x20, TASK+80
  bad "SS not present", 12, NP_DATA, movl $NP_DATA, TASK+80
  bad "DS execute-only", 10, 0xa0, movl $0xa0, TASK+84
  bad "DS a TSS", 10, FIRST_SEL, movl $FIRST_SEL, TASK+84
  bad "ES not present", 11, NP_DATA, movl $NP_DATA, TASK+72
  bad "FS in an LDT that is not there", 10, 0x0c, movl $0x0c, TASK+88
  bad "GS of a DPL below the RPL", 10, 0x10, movl $0x13, TASK+92
  bad "EIP beyond CS", 13, 0, movl $0xa8, TASK+76
  try
  movl $0x13, TASK+80
  switch lcall
  expect "CALL: the link is to the new task all the same", 10, 0x10, TASK_SEL, 0
  try
  movl $0, TABLE2+4*(0x10000>>12)
  movl $DIRECTORY2, TASK+28
  switch
  note $0
  movl $0x10007, TABLE2+4*(0x10000>>12)
  expect "the new task's code is not in memory", 14, 0, TASK_SEL, 0, task_code, 0

# A task of virtual-8086 mode: its HLT is #GP of that task.
  try
  movl $0x20002, TASK+36
  movl $0x1000, TASK+76
  movl $0x9000, TASK+80
  movl $0xffff, TASK+88
  movl $(virtual_code-start), TASK+32
  movl $(virtual_code-start), TASK+60
  switch
  movzwl TASK+88, %eax
  note %eax
  mov TASK+36, %eax
  and $0x20000, %eax
  note %eax
  expect "a task of virtual-8086 mode", 13, 0, TASK_SEL, 1, 0xffff, 0x20000

# A double fault: the gate of #GP is not present.
  call fresh_task
  movl $92f, RESUME
  mov $91f, %ebp
  mov %ebp, TSS+60
  movb $0x05, IDT+8*13+5
91: .byte 0x8e, 0xd0           # mov %eax, %ss
92: call mend
  movb $0x85, IDT+8*13+5
  expect "a double fault is a task too", 8, 0, FIRST_SEL, 0
  hlt

in_task:
  note PAGE
  mov %cr3, %eax
  note %eax
  movzwl TASK, %eax
  note %eax
  iret
  hlt

# TASK as it begins: EIP and EBP at `task_code`, flat segments.
fresh_task:
  mov $TASK, %edi
  mov $26, %ecx
  xor %eax, %eax
  cld
  rep stosl
  movl $DIRECTORY, TASK+28
  movl $task_code, TASK+32
  movl $2, TASK+36
  movl $0x29000, TASK+56
  movl $task_code, TASK+60
  movl $0x10, TASK+72
  movl $0x08, TASK+76
  movl $0x10, TASK+80
  movl $0x10, TASK+84
  mov $0x100, %eax
  ret

# What a try has changed is as before.
mend:
  movl $TASK+7, TABLE+4*(TASK>>12)
  invlpg TASK
  movw $0x67, gdt+TASK_SEL
  movb $0x89, gdt+TASK_SEL+5
  pushf
  andl $~0x4000, (%esp)
  popf
  clts
  ret

task_code:
  hlt
.code16
virtual_code:
  nop
  hlt
.code32

verdict_routines
handlers
.balign 8
gdt:
  flat_descriptors
  .quad 0                    # 38
  .quad 0x0000890250000067   # 40 TASK
  .quad 0x000082022000000f   # 48 LDT
  .space 7*8                 # 50 the tasks of the exceptions 8 to 14
  .quad 0                    # 88
  .quad 0x00cf1b000000ffff   # 90 code, not present
  .quad 0x00cf91000000ffff   # 98 data, read-only
  .quad 0x00cf99000000ffff   # a0 code, execute-only
  .quad 0x00409b000000ffff   # a8 code of 64 KiB
gdt_end:
table_registers

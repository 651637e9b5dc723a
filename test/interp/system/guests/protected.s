# 32-bit protected mode: segment checks, gates of 32 and 16 bits, inner stacks, call gates with parameters, far returns, IRET to
# ring 3, paging faults. Started at 0x10000 in flat 32-bit mode without paging. Results go to port 0xE0; HLT ends. Build: sh build.sh
.code32
.set IDT, 0x20000
.set TSS, 0x21000
.set DIRECTORY, 0x30000
.set TABLE, 0x31000

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
.macro gate vector, handler, type
  movw $(\handler-start), IDT+8*\vector
  movw $0x08, IDT+8*\vector+2
  movw $\type, IDT+8*\vector+4
  movw $1, IDT+8*\vector+6
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
  movl $0x8e000001, IDT+4(,%ecx,8)
  movw $0x8e00, IDT+4(,%ecx,8)
  movw $1, IDT+6(,%ecx,8)
  movw $0x08, IDT+2(,%ecx,8)
  inc %ecx
  cmp $20, %ecx
  jb 2b
  gate 0x80, int80, 0xee00
  gate 0x81, int81_16, 0x8600
  movw $0x80, IDT+8*0x81+2
  gate 0x82, finish, 0xee00
  gate 0x83, int80, 0x8f00
  movw $0x40, IDT+8*0x84+2
  movw $0xee00, IDT+8*0x84+4
  movl $0x28000, TSS+4
  movw $0x10, TSS+8
  movw $0x68, TSS+102
  mov $0x30, %eax
  ltr %ax
  # The LDT: a data segment at 0x2f000, and one that is not present.
  movl $0xf0000fff, 0x22000
  movl $0x00409302, 0x22004
  movl $0x00000fff, 0x22008
  movl $0x00401300, 0x2200c
  movl $0x5eed, 0x2f000
  mov $0x38, %eax
  lldt %ax

  xor %eax, %eax
  mov %eax, %fs
  faults mov %fs:0x10, %ecx
  # Limit 0xfff, read-only data, expand-down (limit 0xfff: valid from 0x1000).
  mov $0x40, %ecx
  mov %ecx, %fs
  mov %fs:0xffc, %eax
  faults mov %fs:0xffd, %eax
  mov $0x48, %ecx
  mov %ecx, %fs
  faults movl $1, %fs:0x100
  mov $0x50, %ecx
  mov %ecx, %fs
  mov %fs:0x1000, %eax
  faults mov %fs:0xfff, %eax
  # Code as a data segment cannot be written; execute-only cannot be loaded.
  faults movl $1, %cs:0x100
  mov $0x58, %ecx
  faults mov %ecx, %fs
  mov $0x60, %ecx
  faults mov %ecx, %fs
  faults mov %ecx, %ss
  # The accessed bit of a descriptor.
  mov gdt+0x68+4, %ecx
  mov $0x68, %eax
  mov %eax, %fs
  xor gdt+0x68+4, %ecx
  report %ecx
  # The LDT.
  mov $0x04, %ecx
  mov %ecx, %fs
  mov %fs:0, %ecx
  report %ecx
  mov $0x0c, %ecx
  faults mov %ecx, %fs
  # A stack segment beyond its table.
  faults lss bad_stack, %esp
  # Interrupt gate of 16 bits, trap gate, gate whose segment is data.
  mov $0x12340000, %eax
  faults int $0x81
  faults int $0x83
  faults int $0x84
  faults int $0x90
  # Far CALL, far JMP through a call gate, CALL through a conforming segment.
  lcall $0x08, $far_target
  ljmp $0x70, $0
jumped:
  report $0x1a
  pushl $0x11111111
  pushl $0x22222222

  # LAR, LSL, VERW, ARPL.
  mov $0x70, %ecx
  lar %ecx, %edx
  report %edx
  mov $0x10, %ecx
  lsl %ecx, %edx
  report %edx
  mov $0x10, %ecx
  mov $3, %edx
  arpl %dx, %cx
  report %ecx
  str %ecx
  report %ecx
  # A general detect fault, INTO, BOUND.
  mov $0x7fffffff, %ecx
  add $1, %ecx
  faults into

  # Paging: 4 MiB identity by TABLE; 0x2000 not present, 0x3000 read-only for users, 0x4000 supervisor.
  mov $TABLE, %ebx
  mov $7, %eax
3: mov %eax, (%ebx)
  add $0x1000, %eax
  add $4, %ebx
  cmp $TABLE+0x1000, %ebx
  jb 3b
  movl $0x2006, TABLE+8
  movl $0x3005, TABLE+12
  movl $0x4003, TABLE+16
  movl $TABLE+7, DIRECTORY
  movl $0x00800087, DIRECTORY+8
  mov $DIRECTORY, %eax
  mov %eax, %cr3
  mov %cr4, %eax
  or $0x10, %eax
  mov %eax, %cr4
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  jmp 4f
4:
  faults mov 0x2010, %ecx
  # Without WP the supervisor may write to it.
  movl $0x77, 0x3000
  report 0x3000
  mov %cr0, %eax
  or $0x10000, %eax
  mov %eax, %cr0
  faults movl $1, 0x3000
  faults mov 0x400000, %ecx
  # Dirty and accessed bits: of the table's and of the 4 MiB page.
  movl $5, 0x5000
  mov TABLE+20, %ecx
  report %ecx
  mov 0x800000, %ecx
  mov DIRECTORY+8, %ecx
  report %ecx
  movl $5, 0x800004
  mov DIRECTORY+8, %ecx
  report %ecx

  # Ring 3.
  pushl $0x23
  pushl $0x2e000
  pushl $0x2
  pushl $0x1b
  pushl $user
  iret

user:
  mov $0x23, %eax
  mov %eax, %ds
  mov %eax, %es
  faults hlt
  faults int $0x80
  faults int $0x83
  faults mov 0x4000, %ecx
  faults mov %ecx, 0x3000
  mov $0x10, %ecx
  faults mov %ecx, %ds
  mov $0x80, %edx
  faults in %dx, %al
  # A call gate with two parameters: to ring 0 and back.
  pushl $0xaaaa
  pushl $0xbbbb
  lcall $0x7b, $0
  # Two parameters were dropped here too.
  mov $0x2e000, %ecx
  sub %esp, %ecx
  mov $94f, %ebp
  int $0x80
94:
  int $0x82

.balign 4
int80:
  push %eax
  report $0x80
  mov 4(%esp), %eax
  sub %ebp, %eax
  out %eax, $0xe0
  mov 8(%esp), %eax
  out %eax, $0xe0
  mov %esp, %eax
  and $0xffff0000, %eax
  out %eax, $0xe0
  report %ecx
  pop %eax
  iret

# Through a gate of 16 bits, in a segment whose base is 0x10000: IP, CS and FLAGS are words.
int81_16:
  push %eax
  report $0x81
  movzwl 4(%esp), %eax
  add $0x10000, %eax
  sub %ebp, %eax
  out %eax, $0xe0
  movzwl 6(%esp), %eax
  out %eax, $0xe0
  pop %eax
  # A 16-bit IRET would lose the upper half of EIP.
  add $6, %esp
  pushl $0x08
  push %edi
  lret

finish:
  mov %ds, %eax
  out %eax, $0xe0
  report $0xf1
  hlt

far_target:
  report $0xfa
  mov 4(%esp), %eax
  out %eax, $0xe0
  lret

# Through the call gate of ring 3: SS, ESP, two parameters, CS, EIP are on the stack.
service:
  report $0xca
  report 8(%esp)
  report 12(%esp)
  report 20(%esp)
  report 4(%esp)
  mov %esp, %eax
  out %eax, $0xe0
  lret $8

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
  cmpl $14, 4(%esp)
  jne 1f
  mov %cr2, %eax
  out %eax, $0xe0
1:
  mov %edi, 12(%esp)
  pop %eax
  add $8, %esp
  iret

.balign 8
bad_stack: .long 0; .word 0x100
.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff   # 08 code
  .quad 0x00cf93000000ffff   # 10 data
  .quad 0x00cffb000000ffff   # 18 code of ring 3
  .quad 0x00cff3000000ffff   # 20 data of ring 3
  .quad 0x00cf13000000ffff   # 28 data, not present
  .quad 0x0000890210000067   # 30 TSS
  .quad 0x000082022000000f   # 38 LDT at 0x22000
  .quad 0x0040930000000fff   # 40 data, limit 0xfff
  .quad 0x004091000000ffff   # 48 data, read-only
  .quad 0x0040970000000fff   # 50 data, expand-down
  .quad 0x00cf99000000ffff   # 58 code, execute-only
  .quad 0x00cf13000000ffff   # 60 data, not present
  .quad 0x00cf92000000ffff   # 68 data, not accessed yet
  .word jumped-start, 0x08, 0x8c00, 1        # 70 call gate
  .word service-start, 0x08, 0xec02, 1       # 78 call gate of ring 3, two parameters
  .quad 0x00409b010000ffff   # 80 code at 0x10000
gdt_end:
gdtr: .word gdt_end-gdt-1
  .long gdt
idtr: .word 0x7ff
  .long IDT

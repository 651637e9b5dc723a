# 64-bit mode: exceptions with their codes, IST, ring 3, gates, SYSCALL, the I/O bitmap. Started at 0x10000 in 64-bit mode, privilege 0,
# with the first 4 GiB identity-mapped. Every result is written to port 0xE0 as 32 bits; HLT ends. Build: sh build.sh
.code64
.set IDT, 0x20000
.set TSS, 0x21000
.set PDPT, 0x30000
.set PD, 0x31000
.set PT, 0x32000
.set USER, 0x8000001000      # linear: page 1 of the new mapping, physical 0x41000

.macro report value
  mov \value, %eax
  out %eax, $0xe0
.endm
# r14: the instruction that faults; r15: where to go on.
.macro faults insn:vararg
  lea 91f(%rip), %r14
  lea 92f(%rip), %r15
91: \insn
92:
.endm
.macro gate vector, handler, dpl=0, ist=0
  mov $\vector, %edi
  lea \handler(%rip), %rsi
  mov $(0x8e00 | \dpl << 13 | \ist), %edx
  call set_gate
.endm

start:
  lgdt gdtr(%rip)
  lidt idtr(%rip)
  mov $0x2c000, %rsp
  mov $0x10, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov %eax, %es
  pushq $0x08
  lea 1f(%rip), %rax
  push %rax
  lretq
1:
  # Gates: exceptions 0 to 19 by their stubs.
  xor %ebp, %ebp
2: mov %ebp, %edi
  lea stubs(%rip), %rsi
  mov %ebp, %eax
  shl $4, %eax
  add %rax, %rsi
  mov $0x8e00, %edx
  call set_gate
  inc %ebp
  cmp $20, %ebp
  jb 2b
  gate 3, int3_handler, 3, 1
  gate 0x80, int80_handler, 3
  gate 0x81, int80_handler, 0
  gate 0x82, finish, 3
  # TSS: RSP0, IST1, I/O map with every port but 0xE0 to 0xE3 closed.
  movq $0x28000, TSS+4
  movq $0x2a000, TSS+36
  movw $0x68, TSS+102
  mov $TSS+0x68, %edi
  mov $0xff, %al
  mov $0x89, %ecx
  rep stosb
  movb $0xf0, TSS+0x68+0xe0/8
  mov $0x38, %eax
  ltr %ax
  # A second mapping at 512 GiB.
  mov %cr3, %rax
  movq $PDPT+7, 8(%rax)
  movq $PD+7, PDPT
  movq $PT+7, PD
  movq $0x40001, PT
  movq $0x41007, PT+8
  mov $0x8000000000042007, %rax
  mov %rax, PT+16
  mov $0x0008000000044003, %rax
  mov %rax, PT+32
  movq $0x45005, PT+40
  # EFER: SCE and NXE.
  mov $0xc0000080, %ecx
  rdmsr
  or $0x801, %eax
  wrmsr
  mov %cr0, %rax
  or $0x10000, %eax
  mov %rax, %cr0

  faults ud2
  xor %ecx, %ecx
  faults div %ecx
  mov $0x30, %ecx
  faults mov %ecx, %ds
  mov $0x100, %ecx
  faults mov %ecx, %ds
  mov $0x60, %ecx
  faults mov %ecx, %ss
  mov $0x20, %ecx
  faults mov %ecx, %ss
  # A null SS is allowed below privilege 3.
  xor %ecx, %ecx
  mov %ecx, %ss
  mov %ss, %ecx
  report %ecx
  mov $0x10, %ecx
  mov %ecx, %ss
  mov $16, %ecx
  faults mov %rcx, %cr8
  mov %cr4, %rcx
  bts $15, %rcx
  faults mov %rcx, %cr4
  mov %cr0, %rcx
  and $~1, %ecx
  faults mov %rcx, %cr0
  mov $0x1234567890abcdef, %rbx
  faults mov (%rbx), %rcx
  mov %rsp, %rbp
  mov %rbx, %rsp
  mov %rsp, %r13
  mov %rbp, %rsp
  # Page faults: not present, write to a read-only page, a reserved bit, execution.
  mov $0x8000003010, %rbx
  faults mov (%rbx), %ecx
  mov $0x8000000008, %rbx
  faults incl (%rbx)
  mov $0x8000004020, %rbx
  faults mov (%rbx), %ecx
  mov $0x8000002000, %rbx
  lea 3f(%rip), %r15
  mov %rbx, %r14
  jmp *%rbx
3:
  # INT3 on IST1.
  lea 4f(%rip), %r14
  int3
4:
  # Far CALL and RET, a call gate, and code of compatibility mode.
  lcall *far_code(%rip)
  lcall *far_gate(%rip)
  ljmp *far_compat(%rip)
back64:
  # LAR, LSL, VERR, VERW, STR.
  mov $0x08, %ecx
  xor %edx, %edx
  lar %ecx, %edx
  report %edx
  mov $0x38, %ecx
  lsl %ecx, %edx
  report %edx
  mov $0x60, %ecx
  verr %cx
  setz %dl
  verw %cx
  setz %dh
  movzx %dx, %edx
  report %edx
  str %edx
  report %edx
  # #NP whose own gate is not present: a double fault.
  andb $0x7f, IDT+11*16+5
  mov $0x30, %ecx
  faults mov %ecx, %ds
  orb $0x80, IDT+11*16+5

  # Ring 3.
  lea user_begin(%rip), %rsi
  mov $USER, %rdi
  mov $user_end-user_begin, %ecx
  rep movsb
  mov $0xc0000081, %ecx
  xor %eax, %eax
  mov $0x001b0008, %edx
  wrmsr
  mov $0xc0000082, %ecx
  lea syscall_handler(%rip), %rax
  mov %rax, %rdx
  shr $32, %rdx
  wrmsr
  mov $0xc0000084, %ecx
  mov $0x200, %eax
  xor %edx, %edx
  wrmsr
  pushq $0x23
  mov $USER+0xff0, %rax
  push %rax
  pushq $0x002
  pushq $0x2b
  mov $USER, %rax
  push %rax
  iretq

# edi vector, rsi handler, edx type and IST.
set_gate:
  shl $4, %edi
  mov %si, IDT(%rdi)
  movw $0x08, IDT+2(%rdi)
  mov %dl, IDT+4(%rdi)
  andb $7, IDT+4(%rdi)
  mov %dx, %ax
  and $0xff00, %ax
  mov %ah, IDT+5(%rdi)
  shr $16, %rsi
  mov %si, IDT+6(%rdi)
  shr $16, %rsi
  mov %esi, IDT+8(%rdi)
  movl $0, IDT+12(%rdi)
  ret

int3_handler:
  push %rax
  report $3
  mov %rsp, %rax
  and $~0xfff, %eax
  out %eax, $0xe0
  mov 8(%rsp), %rax
  sub %r14, %rax
  out %eax, $0xe0
  pop %rax
  iretq

int80_handler:
  push %rax
  report $0x80
  mov 8(%rsp), %rax
  sub %r14, %rax
  out %eax, $0xe0
  mov 16(%rsp), %rax
  out %eax, $0xe0
  mov %ss, %eax
  out %eax, $0xe0
  pop %rax
  iretq

finish:
  report $0xf1
  hlt

syscall_handler:
  mov %rcx, %rax
  sub %r14, %rax
  out %eax, $0xe0
  mov %cs, %eax
  out %eax, $0xe0
  mov %ss, %eax
  out %eax, $0xe0
  sysretq

# A far CALL without REX.W pushes 32-bit values; a 64-bit call gate pushes 64-bit ones.
far_target32:
  report $0xfb
  mov 4(%rsp), %eax
  out %eax, $0xe0
  lretl

far_target:
  report $0xfa
  mov 8(%rsp), %rax
  out %eax, $0xe0
  lretq

.code32
compat:
  mov $0xc0, %eax
  out %eax, $0xe0
  # Compatibility mode has an ordinary 32-bit PUSH.
  push %eax
  mov %cs, %eax
  out %eax, $0xe0
  add $4, %esp
  ljmp $0x08, $back64
.code64

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
  push %rax
  mov 8(%rsp), %eax
  out %eax, $0xe0
  mov 16(%rsp), %eax
  out %eax, $0xe0
  mov 24(%rsp), %rax
  sub %r14, %rax
  out %eax, $0xe0
  mov 32(%rsp), %eax
  out %eax, $0xe0
  cmpl $14, 8(%rsp)
  jne 1f
  mov %cr2, %rax
  out %eax, $0xe0
1:
  mov %r15, 24(%rsp)
  pop %rax
  add $16, %rsp
  iretq

user_begin:
  faults hlt
  faults cli
  lea 1f(%rip), %r14
  int $0x80
1:
  faults int $0x81
  # Supervisor page, read-only page, page that cannot be executed.
  mov $0x8000000000, %rbx
  btr $39, %rbx
  faults mov (%rbx), %ecx
  mov $0x8000005000, %rbx
  mov (%rbx), %ecx
  faults mov %ecx, (%rbx)
  # Not canonical: #GP, and #SS through the stack.
  mov $0x1234567890abcdef, %rbx
  faults mov (%rbx), %ecx
  mov %rsp, %rbp
  mov %rbx, %rsp
  faults push %rcx
  mov %rbp, %rsp
  # The I/O bitmap.
  mov $0xe0, %edx
  mov $0x10b, %eax
  out %eax, %dx
  mov $0xe2, %edx
  faults out %eax, %dx
  mov $0x80, %edx
  faults in %dx, %al
  mov $0x430, %edx
  faults in %dx, %al
  lea 1f(%rip), %r14
  syscall
1:
  mov $0xe0, %edx
  mov %cs, %eax
  out %eax, %dx
  mov %ss, %eax
  out %eax, %dx
  faults rdmsr
  faults mov %cr0, %rax
  mov $0x10, %ecx
  faults mov %ecx, %ds
  int $0x82
user_end:

.balign 8
far_code: .long far_target32; .word 0x08
far_gate: .long 0; .word 0x48
far_compat: .long compat; .word 0x58
.balign 8
gdt:
  .quad 0
  .quad 0x00af9b000000ffff   # 08 code, 64 bits
  .quad 0x00cf93000000ffff   # 10 data
  .quad 0x00cffb000000ffff   # 18 code of ring 3, 32 bits
  .quad 0x00cff3000000ffff   # 20 data of ring 3
  .quad 0x00affb000000ffff   # 28 code of ring 3, 64 bits
  .quad 0x00cf13000000ffff   # 30 data, not present
  .quad 0x00008902100000f0   # 38 TSS, limit 0xf0
  .quad 0
gate_low:
  .word far_target-start, 0x08, 0x8c00, 1
  .quad 0
  .quad 0x00cf9b000000ffff   # 58 code, 32 bits
  .quad 0x00cf91000000ffff   # 60 data, read-only
gdt_end:
gdtr: .word gdt_end-gdt-1
  .quad gdt
idtr: .word 0xfff
  .quad IDT

# PAE paging of 32-bit mode: PDPTE registers, NX, 2 MiB pages, SMEP, SMAP with STAC and CLAC, WP, global pages and INVLPG, then
# IA-32e mode with 1 GiB pages and a compatibility-mode handler of its own. Started at 0x10000 in flat 32-bit mode. Results go to
# port 0xE0; HLT ends. Build: sh build.sh
.code32
.set IDT, 0x20000
.set PDPT, 0x30000
.set PD, 0x31000
.set PT, 0x32000
.set PML4, 0x34000
.set PDPT64, 0x35000
.set PT2, 0x36000

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

  # Linear 0 to 2 MiB by 4 KiB pages, then a 2 MiB page at 0x200000 that users may use.
  mov $PT, %ebx
  mov $3, %eax
3: mov %eax, (%ebx)
  movl $0, 4(%ebx)
  add $0x1000, %eax
  add $8, %ebx
  cmp $PT+0x1000, %ebx
  jb 3b
  movl $PD+1, PDPT
  movl $PT+7, PD
  movl $0x2000e7, PD+8
  # Page 0x40000: not executable. Page 0x41000: a user's, with code. Page 0x42000: read-only.
  movl $0x80000000, PT+0x40*8+4
  orl $4, PT+0x41*8
  movl $0x42001, PT+0x42*8
  movb $0xc3, 0x41000
  movb $0xc3, 0x40000
  # A reserved bit in a PDPTE: loading CR3 is #GP under PAE; here PAE is off, so it is found at MOV CR0.
  mov %cr4, %eax
  or $0x20, %eax
  mov %eax, %cr4
  mov $PDPT, %eax
  mov %eax, %cr3
  orl $2, PDPT
  mov %cr0, %ecx
  or $0x80010000, %ecx
  faults mov %ecx, %cr0
  andl $~2, PDPT
  mov $0xc0000080, %ecx
  rdmsr
  or $0x800, %eax
  wrmsr
  mov %cr0, %ecx
  or $0x80010000, %ecx
  mov %ecx, %cr0
  # The PDPTE registers do not follow memory until CR3 is loaded.
  movl $0, PDPT
  mov 0x50000, %eax
  movl $PD+1, PDPT
  # NX.
  mov $4f, %edi
  mov $0x40000, %ebp
  call *%ebp
4: add $4, %esp
  # Write to a read-only page; a 2 MiB page and its bits.
  faults movl $1, 0x42000
  movl $0x1234, 0x200010
  report 0x200010
  report PD+8
  # Not present by a missing PDPTE, and by a missing PDE.
  faults mov 0x40000000, %ecx
  faults mov 0x600000, %ecx
  # SMEP: no execution of user pages.
  mov %cr4, %ecx
  or $0x100000, %ecx
  mov %ecx, %cr4
  mov $5f, %edi
  mov $0x41000, %ebp
  call *%ebp
5: add $4, %esp
  # SMAP: no access to user pages unless AC is set.
  or $0x200000, %ecx
  mov %ecx, %cr4
  faults mov 0x41000, %edx
  stac
  movzbl 0x41000, %edx
  clac
  report %edx
  faults mov %edx, 0x41004
  xor $0x300000, %ecx
  mov %ecx, %cr4
  # INVLPG: a changed entry is seen.
  movl $0xaaaa, 0x43000
  movl $0xbbbb, 0x44000
  mov 0x43000, %eax
  movl $0x44003, PT+0x43*8
  invlpg 0x43000
  report 0x43000

  # IA-32e mode: paging off, tables of four levels, a 1 GiB page at 0x40000000 that maps to 0.
  mov %cr0, %eax
  and $0x7fffffff, %eax
  mov %eax, %cr0
  movl $PDPT64+7, PML4
  movl $PD+7, PDPT64
  movl $0x87, PDPT64+8
  movl $0x2087, PDPT64+16
  mov $PML4, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx
  rdmsr
  or $0x100, %eax
  wrmsr
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  # Compatibility mode now. The IDT is one of 16-byte gates.
  xor %ecx, %ecx
6: mov %ecx, %eax
  shl $4, %eax
  mov %eax, %ebx
  add $(stubs64-start), %eax
  mov %ax, IDT(%ebx)
  movw $0x18, IDT+2(%ebx)
  movw $0x8e00, IDT+4(%ebx)
  movl $1, IDT+6(%ebx)
  movl $0, IDT+10(%ebx)
  movw $0, IDT+14(%ebx)
  inc %ecx
  cmp $20, %ecx
  jb 6b
  mov $0xc0000080, %ecx
  rdmsr
  out %eax, $0xe0
  report 0x40010000
  faults mov 0x80000000, %ecx
  mov $0x100, %ecx
  faults mov %ecx, %ds
  # Leaving IA-32e mode by LME while paging is on is #GP.
  mov $0xc0000080, %ecx
  rdmsr
  and $~0x100, %eax
  faults wrmsr
  # CR4.PAE cannot be cleared in IA-32e mode.
  mov %cr4, %ecx
  and $~0x20, %ecx
  faults mov %ecx, %cr4
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
  mov 12(%esp), %eax
  sub %ebp, %eax
  out %eax, $0xe0
  cmpl $14, 4(%esp)
  jne 1f
  mov %cr2, %eax
  out %eax, $0xe0
1:
  mov %edi, 12(%esp)
  pop %eax
  add $8, %esp
  iret

.code64
.balign 16
stubs64:
.set i, 0
.rept 20
  .balign 16
  .if i != 8 && (i < 10 || i > 14) && i != 17
  push $0
  .endif
  push $i
  jmp common64
  .set i, i+1
.endr

common64:
  push %rax
  report 8(%rsp)
  report 16(%rsp)
  mov 24(%rsp), %eax
  sub %ebp, %eax
  out %eax, $0xe0
  report 32(%rsp)
  mov %edi, %eax
  mov %rax, 24(%rsp)
  pop %rax
  add $16, %rsp
  iretq

.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff   # 08 code, 32 bits
  .quad 0x00cf93000000ffff   # 10 data
  .quad 0x00af9b000000ffff   # 18 code, 64 bits
gdt_end:
gdtr: .word gdt_end-gdt-1
  .long gdt
idtr: .word 0x7ff
  .long IDT

# Real mode: INT n, INT3, INTO, divide error, #UD, limit fault, far calls, IRET; then protected mode, long mode, and back to a shutdown.
# Started at 0000:7C00. Results go to port 0xE0. Build: sh build.sh
.code16
.macro report value:vararg
  mov \value, %ax
  out %ax, $0xe0
.endm
.macro vector number, handler
  movw $\handler, 4*\number
  movw $0, 4*\number+2
.endm
start:
  cli
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $0x7000, %sp
  vector 0, fault
  vector 3, trap
  vector 4, trap
  vector 6, fault
  vector 13, fault
  vector 0x40, trap
  sti
  int $0x40
  int3
  mov $0x7f, %al
  add $1, %al
  into
  mov $1f, %si
  xor %cx, %cx
  div %cl
1: mov $2f, %si
  ud2
2: mov $3f, %si
  mov 0xffff, %ax
3: mov $0x1000, %bx
  mov $0x2000, %cx
  lcall $0x100, $(far_target-0x1000)
  mov $far_pointer, %bx
  lcall *(%bx)
  lds (%bx), %dx
  mov %ds, %ax
  push %ax
  xor %ax, %ax
  mov %ax, %ds
  pop %ax
  out %ax, $0xe0
  report %dx
  smsw %ax
  out %ax, $0xe0
  # Big real mode: limits outlive the return from protected mode.
  cli
  lgdt gdtr
  mov %cr0, %eax
  or $1, %eax
  mov %eax, %cr0
  mov $0x10, %bx
  mov %bx, %fs
  and $~1, %eax
  mov %eax, %cr0
  xor %bx, %bx
  mov %bx, %fs
  mov $0x100000, %ebx
  movl $0xbeef, %fs:(%ebx)
  report %fs:(%ebx)
  # Protected mode, PAE paging, long mode.
  mov %cr0, %eax
  or $1, %eax
  mov %eax, %cr0
  ljmpl $0x08, $protected
far_target:
  push %bp
  mov %sp, %bp
  report 2(%bp)
  report 4(%bp)
  mov %cs, %ax
  out %ax, $0xe0
  pop %bp
  lret
fault:
  push %bp
  mov %sp, %bp
  mov 2(%bp), %ax
  sub %si, %ax
  out %ax, $0xe0
  mov %si, 2(%bp)
  pop %bp
  iret
trap:
  push %bp
  mov %sp, %bp
  report 6(%bp)
  pushf
  pop %ax
  out %ax, $0xe0
  pop %bp
  iret
.balign 4
far_pointer: .word far_target-0x1000, 0x100

.code32
protected:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x7000, %esp
  mov %cr0, %eax
  out %eax, $0xe0
  # Page tables: 2 MiB identity.
  mov $0x20000, %edi
  xor %eax, %eax
  mov $0xc00, %ecx
  rep stosl
  movl $0x21003, 0x20000
  movl $0x22003, 0x21000
  movl $0x83, 0x22000
  mov $0x20000, %eax
  mov %eax, %cr3
  mov %cr4, %eax
  or $0x20, %eax
  mov %eax, %cr4
  mov $0xc0000080, %ecx
  rdmsr
  or $0x100, %eax
  wrmsr
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  rdmsr
  out %eax, $0xe0
  ljmp $0x18, $long

.code64
long:
  mov $0x123456789, %rax
  shr $32, %rax
  out %eax, $0xe0
  mov %cs, %eax
  out %eax, $0xe0
  mov %cr0, %rax
  out %eax, $0xe0
  # No IDT: a triple fault.
  lidt gdtr+6
  ud2

.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
gdtr: .word 0x1f
  .long gdt
  .word 0, 0, 0, 0, 0

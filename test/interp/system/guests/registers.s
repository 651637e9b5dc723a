# 64-bit mode: CPUID, MSRs, segment bases, x87 and SSE control state, SYSENTER and SYSEXIT. Started at 0x10000 in 64-bit mode, privilege
# 0. Results go to port 0xE0; HLT ends. Build: sh build.sh
.code64
.macro report value:vararg
  mov \value, %eax
  out %eax, $0xe0
.endm

start:
  lgdt gdtr(%rip)
  mov $0x2c000, %rsp
  mov $0x10, %eax
  mov %eax, %ss
  # CPUID.
  xor %eax, %eax
  cpuid
  out %eax, $0xe0
  report %ebx
  mov $0x80000008, %eax
  cpuid
  out %eax, $0xe0
  # FS.base and GS.base by MSR, WRFSBASE and SWAPGS.
  mov $0xc0000100, %ecx
  mov $0x11111111, %eax
  mov $0x1234, %edx
  wrmsr
  mov %cr4, %rax
  or $0x10200, %eax
  mov %rax, %cr4
  rdfsbase %rbx
  report %ebx
  shr $32, %rbx
  report %ebx
  mov $0x300000, %ebx
  wrgsbase %rbx
  mov $0xc0000102, %ecx
  mov $0x310000, %eax
  xor %edx, %edx
  wrmsr
  movl $0xa1, 0x300008
  movl $0xa2, 0x310008
  report %gs:8
  swapgs
  report %gs:8
  rdmsr
  out %eax, $0xe0
  # A null selector clears the base.
  xor %ebx, %ebx
  mov %ebx, %fs
  rdfsbase %rbx
  report %ebx
  # The x87 control and status words, FXSAVE.
  mov %cr0, %rax
  and $~0xc, %eax
  or $0x22, %eax
  mov %rax, %cr0
  fninit
  fnstcw 0x40000
  fnstsw %ax
  shl $16, %eax
  movzwl 0x40000, %ebx
  or %ebx, %eax
  out %eax, $0xe0
  movw $0x27f, 0x40000
  fldcw 0x40000
  movl $0x1fa0, 0x40000
  ldmxcsr 0x40000
  mov $0x40200, %edi
  mov $0x55, %al
  mov $512, %ecx
  rep stosb
  fxsave64 0x40200
  report 0x40200
  report 0x40204
  report 0x40218
  movl $0x1f80, 0x40218
  movl $0xdeadbeef, 0x40200+160
  fxrstor64 0x40200
  stmxcsr 0x40000
  report 0x40000
  fxsave 0x40400
  report 0x40400+160
  # SYSENTER to itself and SYSEXIT to ring 3 cannot go far: code there is a supervisor's. SYSENTER alone.
  mov $0x174, %ecx
  mov $0x08, %eax
  xor %edx, %edx
  wrmsr
  inc %ecx
  mov $0x2b000, %eax
  wrmsr
  inc %ecx
  lea entered(%rip), %rax
  wrmsr
  stc
  sysenter
entered:
  report %esp
  mov %cs, %eax
  out %eax, $0xe0
  mov %ss, %eax
  out %eax, $0xe0
  # SMSW, CR8, RDTSCP's auxiliary value, CLTS.
  mov $5, %eax
  mov %rax, %cr8
  mov %cr8, %rbx
  report %ebx
  mov $0xc0000103, %ecx
  mov $0x77, %eax
  xor %edx, %edx
  wrmsr
  rdtscp
  report %ecx
  mov %cr0, %rax
  or $8, %eax
  mov %rax, %cr0
  smsw %eax
  out %eax, $0xe0
  clts
  smsw %ax
  and $0xffff, %eax
  out %eax, $0xe0
  # An MSR that is the machine's.
  mov $0x8b, %ecx
  rdmsr
  out %eax, $0xe0
  hlt

.balign 8
gdt:
  .quad 0
  .quad 0x00af9b000000ffff
  .quad 0x00cf93000000ffff
gdt_end:
gdtr: .word gdt_end-gdt-1
  .quad gdt

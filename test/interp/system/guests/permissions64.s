# Tries accesses through page tables, 64-bit mode: reads records, sets control registers and entries, accesses, and writes what came of it.
# ../permission-guest.ts makes the records and says where everything lies. Build: sh build.sh
.code64
.set PARAM, 0x53000          # linear address, then where the four entries lie, u64 each
.set STACK, 0x58000
.set STUB, 0x10000000000     # read, write, fetch at 16 bytes each

# rbx: record; rbp: result; r15: records that are left; r12: EFER now
start:
  jmp next
.org 0x20
page_fault:
  pop %r8
  or $0x0e0000, %r8d
  mov %cr2, %r9
  jmp finish
.org 0x40
protection:
  pop %r8
  or $0x0d0000, %r8d
  mov (%rsp), %r9
  jmp finish
.org 0x60
returned:                    # UD2 of user code
  xor %r8d, %r8d
  xor %r9d, %r9d
finish:
  mov $STACK, %rsp
  pushq $2
  popfq
  mov %r8, (%rbp)
  mov %r9, 8(%rbp)
  xor %ecx, %ecx
1:
  mov PARAM+8(, %rcx, 8), %rdi
  mov (%rdi), %rax
  mov %rax, 16(%rbp, %rcx, 8)
  movq $0, (%rdi)
  inc %ecx
  cmp $4, %ecx
  jne 1b
  add $64, %rbx
  add $64, %rbp
  dec %r15
next:
  test %r15, %r15
  jz end
  mov (%rbx), %rax
  mov %rax, %cr0
  mov 8(%rbx), %rax
  mov %rax, %cr4
  mov 16(%rbx), %rax
  cmp %rax, %r12
  je 2f
  mov %rax, %r12
  mov $0xc0000080, %ecx
  xor %edx, %edx
  wrmsr
2:
  xor %ecx, %ecx
3:
  mov PARAM+8(, %rcx, 8), %rdi
  mov 32(%rbx, %rcx, 8), %rax
  mov %rax, (%rdi)
  inc %ecx
  cmp $4, %ecx
  jne 3b
  mov %cr3, %rax
  mov %rax, %cr3
  mov PARAM, %rdi
  mov 24(%rbx), %eax
  mov 28(%rbx), %ecx
  test $4, %cl
  jnz user
  push %rax
  popfq
  xor %r8d, %r8d
  xor %r9d, %r9d
  cmp $1, %cl
  jb 4f
  ja 5f
  mov %rax, 8(%rdi)
  jmp finish
4:
  mov (%rdi), %rax
  jmp finish
5:
  call *%rdi
  jmp finish
user:
  pushq $0x23
  pushq $0
  push %rax
  pushq $0x2b
  and $3, %ecx
  shl $4, %ecx
  mov $STUB, %rdx
  add %rdx, %rcx
  push %rcx
  iretq
end:
  hlt

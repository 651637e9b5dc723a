# As permissions64.s in 32-bit code, for 32-bit and PAE paging; entries are written with 8 bytes. Paging is off at first.
.code32
.set PARAM, 0x53000          # linear address (8 bytes), where the four entries lie (8 bytes each), records that are left, EFER now
.set LEFT, PARAM + 40
.set EFER, PARAM + 44
.set STACK, 0x58000
.set STUB, 0x40000000

# ebx: record; ebp: result; esi, edx: what came of it
start:
  jmp next
.org 0x20
page_fault:
  pop %esi
  or $0x0e0000, %esi
  mov %cr2, %edx
  jmp finish
.org 0x40
protection:
  pop %esi
  or $0x0d0000, %esi
  mov (%esp), %edx
  jmp finish
.org 0x60
returned:
  xor %esi, %esi
  xor %edx, %edx
finish:
  mov $STACK, %esp
  pushl $2
  popfl
  mov %esi, (%ebp)
  mov %edx, 8(%ebp)
  xor %ecx, %ecx
1:
  mov PARAM+8(, %ecx, 8), %edi
  mov (%edi), %eax
  mov %eax, 16(%ebp, %ecx, 8)
  mov 4(%edi), %eax
  mov %eax, 20(%ebp, %ecx, 8)
  movl $0, (%edi)
  movl $0, 4(%edi)
  inc %ecx
  cmp $4, %ecx
  jne 1b
  add $64, %ebx
  add $64, %ebp
  decl LEFT
next:
  cmpl $0, LEFT
  je end
  mov 8(%ebx), %eax
  mov %eax, %cr4
  mov (%ebx), %eax
  mov %eax, %cr0
  mov 16(%ebx), %eax
  cmp %eax, EFER
  je 2f
  mov %eax, EFER
  mov $0xc0000080, %ecx
  xor %edx, %edx
  wrmsr
2:
  xor %ecx, %ecx
3:
  mov PARAM+8(, %ecx, 8), %edi
  mov 32(%ebx, %ecx, 8), %eax
  mov %eax, (%edi)
  mov 36(%ebx, %ecx, 8), %eax
  mov %eax, 4(%edi)
  inc %ecx
  cmp $4, %ecx
  jne 3b
  mov %cr3, %eax
  mov %eax, %cr3
  mov PARAM, %edi
  mov 24(%ebx), %eax
  mov 28(%ebx), %ecx
  test $4, %cl
  jnz user
  push %eax
  popfl
  xor %esi, %esi
  xor %edx, %edx
  cmp $1, %cl
  jb 4f
  ja 5f
  mov %eax, 8(%edi)
  jmp finish
4:
  mov (%edi), %eax
  jmp finish
5:
  call *%edi
  jmp finish
user:
  pushl $0x23
  pushl $0
  push %eax
  pushl $0x2b
  and $3, %ecx
  shl $4, %ecx
  add $STUB, %ecx
  push %ecx
  iretl
end:
  hlt

# Long mode: ring 3 calls the kernel by SYSCALL, which returns by SYSRET, and by an interrupt gate, INT 80h.
#
# Some software-nested KVMs cannot do this (SYSCALL reaches the kernel's entry still in ring 3, INT n from 64-bit code is an
# invalid opcode): there the guest fails, and a replay of it on the interpreter diverges, as it should.
#
# build: as --64 -o long-syscall.o long-syscall.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o long-syscall.bin long-syscall.o
# run:   npx vmtape run --flat corpora/guests/long-syscall.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.code64
.global _start
.include "console.inc"
.include "long-mode.inc"

_start:
    cli
    cld
    mov esp, KERNEL_STACK
    call make_page_tables
    call make_descriptors
    mov eax, offset gate_80
    mov edi, 0x80
    call set_gate
    or byte ptr [idt + 0x80 * 16 + 5], 0x60  # DPL 3
    mov eax, offset system_call
    call set_system_call
    mov qword ptr [kernel_rsp], rsp
    mov esi, offset user
    jmp enter_ring_3

back_in_the_kernel:                 # from system call 0
    expect_equal "dword ptr [user_result]", 42, "the result of ring 3"
    expect_equal "dword ptr [system_calls]", 4, "system calls"
    expect_equal "dword ptr [gate_calls]", 3, "calls of the interrupt gate"
    expect_equal "dword ptr [stack_selector]", USER_DATA, "the stack selector of ring 3"
    expect_equal "dword ptr [user_flags]", 0xc47, "SYSCALL saves the flags in R11"
    # QEMU 7.2 (TCG) clears all of the status flags here and fails this line.
    expect_equal "dword ptr [kernel_flags]", 0x847, "and clears those that SFMASK names"
    finish

# System call RAX: 0 back to the kernel with RDI, 1 print the string RDI, 2 RAX = RDI + RSI.
system_call:
    mov qword ptr [user_rsp], rsp
    mov rsp, qword ptr [kernel_rsp]
    pushfq
    pop qword ptr [kernel_flags]
    mov dword ptr [user_flags], r11d
    inc dword ptr [system_calls]
    cmp eax, 1
    jb leave_user
    je system_print
    lea rax, [rdi + rsi]
    jmp system_return
system_print:
    push rcx
    push r11
    mov esi, edi
    call puts
    pop r11
    pop rcx
system_return:
    mov rsp, qword ptr [user_rsp]
    sysretq
leave_user:
    mov dword ptr [user_result], edi
    jmp back_in_the_kernel

# INT 80h: counts, and tells the host by a write to the POST port.
gate_80:
    push rax
    inc dword ptr [gate_calls]
    mov eax, dword ptr [rsp + 8 + 32]
    mov dword ptr [stack_selector], eax
    mov al, byte ptr [gate_calls]
    out 0x80, al
    pop rax
    iretq

user:
    mov eax, 1
    mov edi, offset text_ring_3
    syscall
    mov eax, 2
    mov edi, 40
    mov esi, 2
    syscall
    mov ebx, eax
    int 0x80
    int 0x80
    push 0x1234
    pop rax
    int 0x80
    mov eax, 1
    mov edi, offset text_leaving
    syscall
    mov edi, ebx
    mov eax, 0x80000000             # OF, ZF, PF, CF; then DF
    add eax, eax
    std
    mov eax, 0                      # leaves the flags
    syscall

    .text 2
    .balign 8
kernel_rsp:     .quad 0
user_rsp:       .quad 0
kernel_flags:   .quad 0
user_flags:     .long 0
system_calls:   .long 0
gate_calls:     .long 0
stack_selector: .long 0
user_result:    .long 0
text_ring_3:    .asciz "Hello from ring 3, by SYSCALL.\n"
text_leaving:   .asciz "Leaving ring 3.\n"

# Long mode: ring 3 computes while a timer interrupts it, runs into absent pages, calls the kernel by SYSCALL and INT 80h, and calls code that
# the kernel rewrites each time. The kernel waits for ticks too, so that interrupts return to either ring by the same IRETQ. The u32 at
# offset 4 of the image is 1: ring 3 also reads the time-stamp counter and CPUID, which no hook finds there.
#
# build: as --64 -o long-user.o long-user.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o long-user.bin long-user.o
# run:   npx vmtape run --flat corpora/guests/long-user.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.code64
.global _start
.include "console.inc"
.include "long-mode.inc"
.include "timer.inc"

.set VECTOR_BASE, 0x20
.set PIT_RELOAD, 240                # 1193182 Hz / 240: a tick every 200 microseconds
.set ROUNDS, 64
.set FIRST_PAGE, 8                  # of TEST, absent until they are touched

_start:
    jmp begin
    .balign 4
asks_processor: .long 0
begin:
    cli
    cld
    mov esp, KERNEL_STACK
    call make_page_tables
    call make_descriptors
    mov rax, cr4
    or eax, 0x600                   # OSFXSR, OSXMMEXCPT
    mov cr4, rax
    mov edi, VECTOR_BASE
    mov eax, offset tick
    call set_gate
    mov edi, VECTOR_BASE + 7
    mov eax, offset spurious
    call set_gate
    mov edi, 14
    mov eax, offset page_fault
    call set_gate
    mov edi, 0x80
    mov eax, offset gate_80
    call set_gate
    or byte ptr [idt + 0x80 * 16 + 5], 0x60  # DPL 3
    mov eax, offset system_call
    call set_system_call

    # Vectors from 20h, only line 0 open.
    set_up_8259 VECTOR_BASE
    start_8254 PIT_RELOAD

    push USER_DATA
    push USER_STACK
    push 0x202                      # interrupts on
    push USER_CODE
    push offset user
    iretq

back_in_the_kernel:                 # from system call 0
    mov al, 0xff
    out 0x21, al
    expect_equal "dword ptr [mistakes]", 0, "ring 3 found nothing wrong"
    expect_equal "dword ptr [rounds]", ROUNDS, "rounds of ring 3"
    expect_equal "dword ptr [page_faults]", ROUNDS, "page faults"
    expect_equal "dword ptr [gate_calls]", ROUNDS, "calls of the interrupt gate"
    expect_equal "dword ptr [sum]", "ROUNDS * (ROUNDS + 1) / 2", "the sum in an SSE register"
    cmp dword ptr [kernel_ticks], ROUNDS / 8
    setb al
    cmp al, 0
    expect_zero_flag "ticks while the kernel waited"
    finish

# System call EAX: 0 the end, 1 the code at `patched` returns EDI, 2 waits for a tick, 3 page EDI of TEST is absent again.
system_call:
    mov qword ptr [user_rsp], rsp
    mov esp, KERNEL_STACK
    push rcx
    push r11
    cmp eax, 1
    jb back_in_the_kernel
    je rewrite
    cmp eax, 2
    je wait_for_tick
    mov qword ptr [rdi * 8 + TEST_TABLE], 0
    shl edi, 12
    invlpg [rdi + TEST]
    jmp system_return
rewrite:
    mov dword ptr [patched + 1], edi
    jmp system_return
wait_for_tick:
    mov edx, dword ptr [kernel_ticks]
    sti
1:  cmp edx, dword ptr [kernel_ticks]
    je 1b
    cli
system_return:
    pop r11
    pop rcx
    mov rsp, qword ptr [user_rsp]
    sysretq

gate_80:
    inc dword ptr [gate_calls]
    iretq

tick:
    push rax
    mov al, 0x20                    # end of interrupt
    out 0x20, al
    test byte ptr [rsp + 16], 3
    jnz 1f
    inc dword ptr [kernel_ticks]
1:  pop rax
spurious:
    iretq

page_fault:
    push rax
    push rdx
    mov rax, cr2
    sub eax, TEST
    shr eax, 12
    mov edx, eax
    shl edx, 12
    add edx, FRAMES + P + W + U
    mov qword ptr [rax * 8 + TEST_TABLE], rdx
    inc dword ptr [page_faults]
    pop rdx
    pop rax
    add rsp, 8                      # the error code
    iretq

user:
    xor ebx, ebx
    xor r12d, r12d
    pxor xmm0, xmm0
user_round:
    inc ebx
    mov ecx, 20000
    mov eax, ebx
1:  imul eax, eax, 1103515245
    add eax, 12345
    loop 1b
    mov r13d, eax

    mov esi, ebx
    and esi, 7
    add esi, FIRST_PAGE
    mov edi, esi
    shl esi, 12
    add esi, TEST
    mov dword ptr [rsi], r13d
    cmp dword ptr [rsi], r13d
    je 1f
    inc dword ptr [mistakes]
1:  mov eax, 3
    syscall

    mov eax, 1
    mov edi, ebx
    syscall
    call patched
    cmp eax, ebx
    je 1f
    inc dword ptr [mistakes]
1:  int 0x80
    movd xmm1, ebx
    paddq xmm0, xmm1

    cmp dword ptr [asks_processor], 0
    je 2f
    push rbx
    xor eax, eax
    cpuid
    cmp ebx, 0x68747541             # Auth
    pop rbx
    je 1f
    inc dword ptr [mistakes]
1:  rdtsc
    shl rdx, 32
    or rax, rdx
    cmp rax, r12
    ja 1f
    inc dword ptr [mistakes]
1:  mov r12, rax

2:  inc dword ptr [rounds]
    test ebx, 7
    jnz 1f
    mov eax, 2
    syscall
1:  cmp ebx, ROUNDS
    jne user_round
    movd dword ptr [sum], xmm0
    xor eax, eax
    syscall

    .balign 64
patched:
    mov eax, 0
    ret

    .text 2
    .balign 8
user_rsp:     .quad 0
mistakes:     .long 0
rounds:       .long 0
page_faults:  .long 0
gate_calls:   .long 0
kernel_ticks: .long 0
sum:          .long 0

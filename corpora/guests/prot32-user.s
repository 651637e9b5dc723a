# 32-bit paging or, if the u32 at offset 4 of the image is 1, PAE paging: ring 3 computes while a timer interrupts it, runs into absent
# pages, and calls the kernel by SYSENTER and INT 80h. If the u32 at offset 8 is 1, both rings read the time-stamp counter where no hook
# finds it. Paging is turned on before there is an IDT, as Linux does.
#
# build: as --32 -o prot32-user.o prot32-user.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o prot32-user.bin prot32-user.o
# run:   npx vmtape run --flat corpora/guests/prot32-user.bin --load-at 0x100000 --mode prot32
# exit:  33

.intel_syntax noprefix
.code32
.global _start
.include "console.inc"
.include "timer.inc"

.set VECTOR_BASE, 0x20
.set PIT_RELOAD, 240                # 1193182 Hz / 240: a tick every 200 microseconds
.set ROUNDS, 64
.set P, 1
.set W, 2
.set U, 4
.set LARGE, 0x80
.set DIRECTORY, 0x200000            # or, with PAE, the four pointers
.set PAE_DIRECTORY, 0x201000        # of the first GiB
.set TEST_TABLE, 0x202000           # of the pages from TEST on
.set FRAMES, 0x210000
.set TEST, 0x800000
.set KERNEL_STACK, 0x280000
.set USER_STACK, 0x290000
.set KERNEL_CODE, 0x08
.set USER_CODE, 0x1b                # SYSENTER_CS + 16, with RPL 3
.set USER_DATA, 0x23
.set TASK, 0x28
.set SYSENTER_CS, 0x174
.set SYSENTER_ESP, 0x175
.set SYSENTER_EIP, 0x176

_start:
    jmp begin
    .balign 4
uses_pae:    .long 0
asks_tsc:    .long 0
begin:
    cli
    cld
    mov esp, KERNEL_STACK
    cmp dword ptr [uses_pae], 0
    jne pae_tables

    # Two pages of 4 MiB, then a table of absent pages.
    mov dword ptr [DIRECTORY], LARGE + P + W + U
    mov dword ptr [DIRECTORY + 4], 0x400000 + LARGE + P + W + U
    mov dword ptr [DIRECTORY + 8], TEST_TABLE + P + W + U
    mov dword ptr [entry_shift], 2
    mov eax, 0x10                   # PSE
    jmp turn_on
pae_tables:
    mov dword ptr [DIRECTORY], PAE_DIRECTORY + P
    mov edi, PAE_DIRECTORY
    mov eax, LARGE + P + W + U
1:  mov dword ptr [edi], eax
    add edi, 8
    add eax, 0x200000
    cmp eax, TEST
    jb 1b
    mov dword ptr [edi], TEST_TABLE + P + W + U
    mov dword ptr [entry_shift], 3
    mov eax, 0x20                   # PAE

turn_on:
    or eax, 0x600                   # OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80010022              # PG, WP, NE, MP
    mov cr0, eax
    jmp 1f
1:
    lgdt [gdt_pointer]
    .byte 0xea                      # jmp 8:in_own_segments
    .long in_own_segments
    .word KERNEL_CODE
in_own_segments:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov eax, TASK
    ltr ax

    mov edi, offset idt
    mov ecx, 0x81
1:  mov eax, offset unexpected
    call set_gate
    loop 1b
    mov edi, offset idt + 8 * 14
    mov eax, offset page_fault
    call set_gate
    mov edi, offset idt + 8 * VECTOR_BASE
    mov eax, offset tick
    call set_gate
    mov edi, offset idt + 8 * (VECTOR_BASE + 7)
    mov eax, offset spurious
    call set_gate
    mov edi, offset idt + 8 * 0x80
    mov eax, offset gate_80
    call set_gate
    or byte ptr [idt + 8 * 0x80 + 5], 0x60   # DPL 3
    lidt [idt_pointer]

    xor edx, edx
    mov ecx, SYSENTER_CS
    mov eax, KERNEL_CODE
    wrmsr
    mov ecx, SYSENTER_ESP
    mov eax, KERNEL_STACK
    wrmsr
    mov ecx, SYSENTER_EIP
    mov eax, offset system_call
    wrmsr

    # Vectors from 20h, only line 0 open.
    set_up_8259 VECTOR_BASE
    start_8254 PIT_RELOAD

    push USER_DATA
    push USER_STACK
    push 0x202                      # interrupts on
    push USER_CODE
    push offset user
    iretd

back_in_the_kernel:                 # from system call 0
    mov al, 0xff
    out 0x21, al
    mov eax, KERNEL_CODE + 8
    mov ds, eax
    mov es, eax
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

# System call EAX, which returns to EDX with the stack ECX: 0 the end, 1 waits for a tick, 2 page EDI of TEST is absent again.
system_call:
    cmp eax, 1
    jb back_in_the_kernel
    je wait_for_tick
    push ecx
    mov ecx, dword ptr [entry_shift]
    mov eax, edi
    shl eax, cl
    mov dword ptr [eax + TEST_TABLE], 0
    pop ecx
    shl edi, 12
    invlpg [edi + TEST]
    sti
    sysexit
wait_for_tick:
    mov eax, dword ptr [kernel_ticks]
    sti
1:  call read_time
    cmp eax, dword ptr [kernel_ticks]
    je 1b
    sysexit

# Time must not go back. Keeps all registers.
read_time:
    cmp dword ptr [asks_tsc], 0
    je 2f
    pusha
    rdtsc
    cmp edx, dword ptr [time_before + 4]
    jne 1f
    cmp eax, dword ptr [time_before]
1:  jae 1f
    inc dword ptr [mistakes]
1:  mov dword ptr [time_before], eax
    mov dword ptr [time_before + 4], edx
    popa
2:  ret

gate_80:
    inc dword ptr [gate_calls]
    iretd

tick:
    push eax
    mov al, 0x20                    # end of interrupt
    out 0x20, al
    test byte ptr [esp + 8], 3
    jnz 1f
    inc dword ptr [kernel_ticks]
1:  pop eax
spurious:
    iretd

page_fault:
    push eax
    push ecx
    push edx
    mov eax, cr2
    sub eax, TEST
    shr eax, 12
    mov edx, eax
    shl edx, 12
    add edx, FRAMES + P + W + U
    mov ecx, dword ptr [entry_shift]
    shl eax, cl
    mov dword ptr [eax + TEST_TABLE], edx
    inc dword ptr [page_faults]
    pop edx
    pop ecx
    pop eax
    add esp, 4                      # the error code
    iretd

unexpected:
    print "unexpected exception\n"
    inc byte ptr [failures]
    finish

# The gate at EDI leads to EAX, at ring 0. EDI is the next one's then.
set_gate:
    mov word ptr [edi], ax
    mov dword ptr [edi + 2], 0x8e000000 + KERNEL_CODE
    mov word ptr [edi + 4], 0x8e00
    shr eax, 16
    mov word ptr [edi + 6], ax
    add edi, 8
    ret

user:
    mov eax, USER_DATA
    mov ds, eax
    mov es, eax
    xor ebx, ebx
    pxor xmm0, xmm0
user_round:
    inc ebx
    mov ecx, 20000
    mov eax, ebx
1:  imul eax, eax, 1103515245
    add eax, 12345
    loop 1b
    mov ebp, eax

    mov edi, ebx
    and edi, 7
    add edi, 8
    mov esi, edi
    shl esi, 12
    add esi, TEST
    mov dword ptr [esi], ebp
    cmp dword ptr [esi], ebp
    je 1f
    inc dword ptr [mistakes]
1:  mov eax, 2
    call enter_kernel
    int 0x80
    movd xmm1, ebx
    paddq xmm0, xmm1
    call read_time

    inc dword ptr [rounds]
    test ebx, 7
    jnz 1f
    mov eax, 1
    call enter_kernel
1:  cmp ebx, ROUNDS
    jne user_round
    movd dword ptr [sum], xmm0
    xor eax, eax
enter_kernel:
    pop edx
    mov ecx, esp
    sysenter

    .text 2
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        # ring 0, as SYSENTER wants them in a row
    .quad 0x00cf93000000ffff
    .quad 0x00cffb000000ffff
    .quad 0x00cff3000000ffff
    .word 0x67, tss - _start, 0x8910, 0   # at 1 MiB and less than 64 KiB: the image is loaded at 0x100000
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt
idt_pointer:
    .word 0x81 * 8 - 1
    .long idt
    .balign 8
tss:
    .long 0, KERNEL_STACK, 0x10
    .fill 23, 4, 0
time_before:  .quad 0
entry_shift:  .long 0
mistakes:     .long 0
rounds:       .long 0
page_faults:  .long 0
gate_calls:   .long 0
kernel_ticks: .long 0
sum:          .long 0
    .balign 8
idt:
    .fill 0x81 * 8, 1, 0

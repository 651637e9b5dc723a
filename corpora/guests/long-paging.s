# Long mode: own page tables, page faults that the handler counts and repairs, memory-mapped I/O of every width where no device
# is (across a page too), and ring 3, which calls the kernel by SYSCALL and by faults.
#
# The kernel's SYSCALL entry is an invalid opcode, whose handler does the work and returns by IRETQ. That is so that the guest
# runs alike on KVMs that emulate kernel mode in software: they may stay in ring 3 at SYSCALL, and they lack SYSRET.
# long-syscall.s does it as the manual means it.
#
# build: as --64 -o long-paging.o long-paging.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o long-paging.bin long-paging.o
# run:   npx vmtape run --flat corpora/guests/long-paging.bin --load-at 0x100000 --mode long64
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
    mov eax, offset invalid_opcode
    mov edi, 6
    call set_gate
    mov byte ptr [idt + 6 * 16 + 4], 1       # on the stack IST1, whatever the ring
    mov eax, offset general_protection
    mov edi, 13
    call set_gate
    mov eax, offset page_fault
    mov edi, 14
    call set_gate
    mov eax, offset system_call
    call set_system_call
    call page_faults
    call memory_mapped_io
    call ring_3
    finish

# ---- page faults

page_faults:
    mov eax, dword ptr [TEST + 0x10]         # absent
    mov eax, 0x11223344
    mov dword ptr [TEST + 0xffe], eax        # half on the absent page 1
    expect_equal "dword ptr [fault_count]", 2, "absent pages"
    expect_equal "dword ptr [FRAMES + 0x1000 - 2]", 0x11223344, "a write across them"
    inc dword ptr [TEST + 0x2000]            # read-only: a write fault, although it reads first
    expect_equal "dword ptr [fault_code]", 3, "error code of a write to a read-only page"
    expect_equal "dword ptr [FRAMES + 0x2000]", 1, "the write was repeated"
    mov byte ptr [TEST + 0x3000], 0xc3
    mov eax, TEST + 0x3000
    call rax                                 # no execute
    expect_equal "dword ptr [fault_code]", 0x11, "error code of a fetch"
    mov edi, TEST + 0x5000 - 16              # REP STOSQ runs into the absent page 5 and goes on
    mov ecx, 4
    mov eax, 0x55
    rep stosq
    expect_equal "dword ptr [fault_count]", 5, "five faults"
    expect_equal "qword ptr [FRAMES + 0x5000 + 8]", 0x55, "rep stosq across a fault"
    mov rax, 0x8000000000000000
    mov qword ptr [expected_fault], offset after_not_canonical
    mov rax, qword ptr [rax]
after_not_canonical:
    expect_equal "dword ptr [protection_count]", 1, "an address that is not canonical"
    test byte ptr [TEST_TABLE], 0x20         # accessed
    setz al
    test byte ptr [TEST_TABLE], 0x40         # dirty
    setz ah
    cmp ax, 0
    expect_zero_flag "accessed and dirty bits"
    ret

# Counts, notes CR2 and the error code, and repairs the entry of the page: present, writable, user, executable.
page_fault:
    push rax
    push rbx
    inc dword ptr [fault_count]
    mov eax, dword ptr [rsp + 16]
    mov dword ptr [fault_code], eax
    mov rax, cr2
    mov qword ptr [fault_address], rax
    invlpg [rax]
    sub eax, TEST
    mov ebx, eax
    shr ebx, 12
    and eax, 0xfffff000
    add eax, FRAMES + P + W + U
    mov dword ptr [TEST_TABLE + rbx * 8], eax
    mov dword ptr [TEST_TABLE + rbx * 8 + 4], 0
    pop rbx
    pop rax
    add rsp, 8
    iretq

# Goes on at expected_fault.
general_protection:
    inc dword ptr [protection_count]
    add rsp, 8
    push rax
    mov rax, qword ptr [expected_fault]
    mov qword ptr [rsp + 8], rax
    pop rax
    iretq

# ---- memory-mapped I/O

# All ones are read where nobody is, and writes go nowhere.
memory_mapped_io:
    mov ebx, HOLE
    call mmio_reads
    call mmio_writes
    ret

mmio_reads:
    movzx eax, byte ptr [rbx]
    expect_equal eax, 0xff, "mmio: 1 byte"
    movzx eax, word ptr [rbx + 2]
    expect_equal eax, 0xffff, "mmio: 2 bytes"
    mov eax, dword ptr [rbx + 4]
    expect_equal eax, 0xffffffff, "mmio: 4 bytes"
    mov rax, qword ptr [rbx + 8]
    expect_equal rax, -1, "mmio: 8 bytes"
    movsx rax, byte ptr [rbx + 1]
    expect_equal rax, -1, "mmio: 1 byte, extended"
    mov eax, dword ptr [rbx + 1]
    expect_equal eax, 0xffffffff, "mmio: 4 bytes, unaligned"
    mov rax, qword ptr [rbx + 3]
    expect_equal rax, -1, "mmio: 8 bytes, unaligned"
    mov eax, dword ptr [rbx + 0xffe]
    expect_equal eax, 0xffffffff, "mmio: 4 bytes across a page"
    mov rax, qword ptr [rbx + 0xffb]
    expect_equal rax, -1, "mmio: 8 bytes across a page"
    mov eax, 1
    add eax, dword ptr [rbx + 16]
    expect_equal eax, 0, "mmio: added to a register"
    cmp byte ptr [rbx + 17], 0xff
    expect_zero_flag "mmio: compared"
    ret

mmio_writes:
    mov byte ptr [rbx], 0x11
    mov word ptr [rbx + 2], 0x2222
    mov dword ptr [rbx + 4], 0x44444444
    mov rax, 0x8877665544332211
    mov qword ptr [rbx + 8], rax
    mov dword ptr [rbx + 0xffd], eax
    mov qword ptr [rbx + 0xffc], rax
    add dword ptr [rbx + 32], 2     # reads and writes
    or byte ptr [rbx + 36], 1
    mov eax, 5
    xchg dword ptr [rbx + 40], eax
    expect_equal eax, 0xffffffff, "mmio: exchanged"
    mov esi, HOLE
    mov edi, FRAMES + 0x8000
    mov ecx, 3
    rep movsd                       # out of it
    expect_equal "dword ptr [FRAMES + 0x8008]", 0xffffffff, "mmio: rep movsd"
    mov esi, FRAMES + 0x8000
    mov edi, HOLE + 0xff8
    mov ecx, 2
    rep movsq                       # into it
    mov edi, HOLE
    mov ecx, 3
    rep stosw
    expect_equal edi, HOLE + 6, "mmio: rep stosw"
    ret

# ---- ring 3

ring_3:
    mov dword ptr [fault_count], 0
    mov qword ptr [kernel_rsp], rsp
    mov esi, offset user
    jmp enter_ring_3

back_in_the_kernel:                 # from system call 0
    expect_equal "dword ptr [user_result]", 0xff, "ring 3 read through the hole"
    expect_equal "dword ptr [system_calls]", 5, "system calls"
    expect_equal "dword ptr [invalid_opcodes]", 1, "an invalid opcode in ring 3"
    expect_equal "dword ptr [fault_count]", 1, "a page fault from ring 3"
    expect_equal "dword ptr [fault_code]", 5, "its error code"
    expect_equal "dword ptr [protection_count]", 2, "ring 3 may not do CLI"
    expect_equal "dword ptr [stack_selector]", USER_DATA, "the stack selector of ring 3"
    ret

# Where SYSCALL leads.
system_call:
    ud2

# From system_call: system call RAX: 0 back to the kernel with RDI, 1 print the string RDI, 2 RAX = RDI + RSI. From elsewhere,
# in ring 3: counts and skips it.
invalid_opcode:
    cmp qword ptr [rsp], offset system_call
    je serve
    inc dword ptr [invalid_opcodes]
    mov r11, qword ptr [rsp + 32]
    mov dword ptr [stack_selector], r11d
    add qword ptr [rsp], 2
    iretq
serve:
    mov qword ptr [rsp], rcx        # back to behind the SYSCALL
    mov qword ptr [rsp + 8], USER_CODE
    mov qword ptr [rsp + 16], 2
    mov qword ptr [rsp + 32], USER_DATA
    xor r11d, r11d
    inc dword ptr [system_calls]
    cmp eax, 1
    jb leave_user
    je system_print
    lea rax, [rdi + rsi]
    iretq
system_print:
    mov esi, edi
    call puts
    iretq
leave_user:
    mov dword ptr [user_result], edi
    mov rsp, qword ptr [kernel_rsp]
    jmp back_in_the_kernel

user:
    mov eax, 1
    mov edi, offset text_ring_3
    syscall
    mov eax, 2
    mov edi, 40
    mov esi, 2
    syscall
    mov ebx, eax                    # 42
    mov ecx, 100000
1:  imul rbx, rbx, 31
    add rbx, rcx
    ror rbx, 7
    loop 1b
    ud2
    mov eax, dword ptr [TEST + 0x4000]       # the kernel's page
    mov qword ptr [expected_fault], offset after_cli
    cli
after_cli:
    mov ebx, HOLE
    movzx ebp, byte ptr [rbx + 100]          # MMIO by ring 3
    mov dword ptr [rbx + 0xffe], eax
    mov eax, 1
    mov edi, offset text_leaving
    syscall
    mov eax, 2
    syscall
    xor eax, eax
    mov edi, ebp
    syscall

    .text 2
    .balign 8
fault_address:    .quad 0
expected_fault:   .quad 0
kernel_rsp:       .quad 0
fault_count:      .long 0
fault_code:       .long 0
protection_count: .long 0
system_calls:     .long 0
invalid_opcodes:  .long 0
stack_selector:   .long 0
user_result:      .long 0
text_ring_3:      .asciz "Hello from ring 3, by SYSCALL.\n"
text_leaving:     .asciz "Leaving ring 3.\n"

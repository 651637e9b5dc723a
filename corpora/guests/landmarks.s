# Long mode: computes without an exit while a timer interrupts it, in loops that are hard to tell apart from outside. What it does
# stands in three u32 at offset 4 of the image: the loop (0 a register, 1 memory, 2 REP MOVSB of 64 MiB, 3 nested, 4 SSE), the ring
# (0 or 3), and the ticks after which it ends. Each tick says on port 80h what it finds in memory and XMM0, where registers do not tell: an
# interrupt that came at another place says something else. Needs 160 MiB of memory for loop 2, else 4.
#
# build: as --64 -o landmarks.o landmarks.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o landmarks.bin landmarks.o
# run:   npx vmtape run --flat corpora/guests/landmarks.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.code64
.global _start
.include "console.inc"
.include "long-mode.inc"
.include "timer.inc"

.set VECTOR_BASE, 0x20
.set PIT_RELOAD, 60                 # 1193182 Hz / 60: a tick every 50 microseconds
.set FROM, 0x1000000
.set TO, 0x5000000
.set COPIED, 0x4000000
.set PROGRESS, 0x80

_start:
    jmp begin
    .balign 4
loop_number: .long 0
ring:        .long 0
ticks_left:  .long 100
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

    # Vectors from 20h, only line 0 open.
    set_up_8259 VECTOR_BASE
    start_8254 PIT_RELOAD

    mov eax, dword ptr [loop_number]
    mov esi, dword ptr [rax * 4 + loops]
    cmp dword ptr [ring], 0
    jne in_ring_3
    sti
    jmp rsi
in_ring_3:
    push USER_DATA
    push USER_STACK
    push 0x202                      # interrupts on
    push USER_CODE
    push rsi
    iretq

count_in_register:
    inc rbx
    jmp count_in_register

count_in_memory:
    inc qword ptr [counter]
    cmp esi, esi                    # the same flags in each round
    jmp count_in_memory

copy:
    mov ebx, FROM
    mov ebp, TO
copy_again:
    mov rsi, rbx
    mov rdi, rbp
    mov ecx, COPIED
    rep movsb
    xchg rbx, rbp
    inc byte ptr [rbx]              # there is something new to copy
    jmp copy_again

nested:
    mov ecx, 1000
1:  mov edx, 7
2:  dec edx
    jnz 2b
    dec ecx
    jnz 1b
    inc qword ptr [counter]         # only this tells one round from another
    cmp esi, esi
    jmp nested

count_in_sse:
    mov eax, 1
    movd xmm1, eax
1:  paddq xmm0, xmm1
    jmp 1b

# To ring 3 by IRETQ, to ring 0 without it: a KVM that emulates the guest's kernel mode in software may have no IRETQ.
tick:
    push rax
    push rbx
    mov al, 0x20                    # end of interrupt
    out 0x20, al
    mov eax, dword ptr [counter]
    cmp dword ptr [loop_number], 2
    jb 2f
    je 1f
    cmp dword ptr [loop_number], 4
    jne 2f
    movdqu xmmword ptr [said], xmm0 # which an emulator of kernel mode knows
    mov eax, dword ptr [said]
    jmp 2f
1:  mov ax, word ptr [rdi - 1]      # what was copied last, and what lies before it
    shl eax, 16
    mov al, byte ptr [FROM]         # how often there was something new
    mov ah, byte ptr [TO]
2:  out PROGRESS, eax
    dec dword ptr [ticks_left]
    jz all_seen
    jmp return
spurious:
    push rax
    push rbx
return:
    test byte ptr [rsp + 24], 3
    jnz 1f
    mov rbx, qword ptr [rsp + 40]   # RSP of the interrupted code
    mov rax, qword ptr [rsp + 16]
    mov qword ptr [rbx - 8], rax    # RIP
    mov rax, qword ptr [rsp + 32]
    mov qword ptr [rbx - 16], rax   # RFLAGS
    mov rax, qword ptr [rsp + 8]
    mov qword ptr [rbx - 24], rax   # RAX
    mov rax, qword ptr [rsp]
    mov rsp, rbx
    sub rsp, 24
    mov rbx, rax
    pop rax
    popfq
    ret
1:  pop rbx
    pop rax
    iretq

all_seen:
    mov al, 0xff
    out 0x21, al
    finish

    .text 2
    .balign 16
said:    .zero 16
counter: .quad 0
loops:   .long count_in_register, count_in_memory, copy, nested, count_in_sse

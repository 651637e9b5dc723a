# 32-bit protected mode with interrupts: sets up GDT, IDT, PIC and PIT, then counts timer ticks while it works, leaving for the
# host often, and at last while it sleeps. On KVM no two runs are alike: each prints how far the work was at each tick.
#
# build: as --32 -o prot32-ticks.o prot32-ticks.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o prot32-ticks.bin prot32-ticks.o
# run:   npx vmtape run --flat corpora/guests/prot32-ticks.bin --load-at 0x100000 --mode prot32
# exit:  33

.intel_syntax noprefix
.code32
.global _start
.include "console.inc"
.include "timer.inc"

.set WORKING_TICKS, 16
.set SLEEPING_TICKS, 3
.set ROUNDS, 100                    # of work between two exits
.set VECTOR_BASE, 0x20
.set PIT_RELOAD, 596                # 1193182 Hz / 596: a tick every 0.4995 ms
.set POST_PORT, 0x80

_start:
    cli
    cld
    lgdt [gdt_pointer]
    mov esp, 0x90000
    .byte 0xea                      # jmp 8:in_flat_segments
    .long in_flat_segments
    .word 8
in_flat_segments:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax

    # The IDT: all of it leads to `unexpected`, but for the timer and the PIC's spurious vector.
    mov edi, offset idt
    mov ecx, 48
fill_idt:
    mov eax, offset unexpected
    call set_gate
    loop fill_idt
    mov edi, offset idt + 8 * VECTOR_BASE
    mov eax, offset tick
    call set_gate
    mov edi, offset idt + 8 * (VECTOR_BASE + 7)
    mov eax, offset spurious
    call set_gate
    lidt [idt_pointer]

    # Vectors from 20h, only line 0 open.
    set_up_8259 VECTOR_BASE

    start_8254 PIT_RELOAD

    print "Working. Ticks seen, and after how many rounds: "
    sti
work:
    mov ecx, ROUNDS
    mov eax, dword ptr [sum]
1:  imul eax, eax, 1664525
    add eax, 1013904223
    dec ecx
    jnz 1b
    mov dword ptr [sum], eax
    out POST_PORT, al
    inc dword ptr [rounds_done]
    mov eax, dword ptr [ticks]
    cmp eax, dword ptr [ticks_seen]
    je work
    mov dword ptr [ticks_seen], eax
    call put_decimal
    print ":"
    mov eax, dword ptr [rounds_done]
    call put_decimal
    print " "
    cmp dword ptr [ticks_seen], WORKING_TICKS
    jb work

    print "\nThe sum is "
    mov eax, dword ptr [sum]
    call put_hex
    print ". Sleeping between the ticks.\n"
    mov dword ptr [ticks], 0
    mov dword ptr [wakes], 0
sleep:
    cli
    cmp dword ptr [ticks], SLEEPING_TICKS
    jae awake
    sti
    hlt
    inc dword ptr [wakes]
    jmp sleep
awake:
    mov al, 0xff                    # close every line
    out 0x21, al
    expect_equal "dword ptr [wakes]", SLEEPING_TICKS, "one wake for each tick"
    expect_equal "dword ptr [unexpected_events]", 0, "no other interrupt"
    finish

# The gate at EDI leads to EAX; EDI moves on.
set_gate:
    mov word ptr [edi], ax
    mov word ptr [edi + 2], 8
    mov word ptr [edi + 4], 0x8e00  # present, 32-bit interrupt gate
    shr eax, 16
    mov word ptr [edi + 6], ax
    add edi, 8
    ret

# Returns without IRETD: a KVM that emulates the guest's kernel mode in software, as nested ones do, has no IRET outside real
# mode. POPFD and a far return do the same here; a tick between the two does no harm.
tick:
    push eax
    inc dword ptr [ticks]
    mov al, 0x20                    # end of interrupt
    out 0x20, al
    jmp return
spurious:
    push eax
return:                             # from EAX, EIP, CS, EFLAGS to EAX, EFLAGS, EIP, CS
    push ebx
    mov eax, dword ptr [esp + 8]
    mov ebx, dword ptr [esp + 12]
    mov dword ptr [esp + 12], eax
    mov eax, dword ptr [esp + 16]
    mov dword ptr [esp + 16], ebx
    mov dword ptr [esp + 8], eax
    pop ebx
    pop eax
    popfd
    retf

unexpected:
    inc dword ptr [unexpected_events]
    print "unexpected interrupt or exception\n"
    finish

    .text 2
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        # 08: code, flat
    .quad 0x00cf93000000ffff        # 10: data, flat
gdt_pointer:
    .word . - gdt - 1
    .long gdt
idt_pointer:
    .word 48 * 8 - 1
    .long idt
    .balign 8
idt:
    .fill 48, 8, 0
sum:               .long 1
rounds_done:       .long 0
ticks:             .long 0
ticks_seen:        .long 0
wakes:             .long 0
unexpected_events: .long 0

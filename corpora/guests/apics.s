# Long mode: the local APIC, the I/O APIC and the 8259A behind LINT0. Interrupts that the guest sends to itself, priorities by
# TPR and CR8, both timers, an edge, a level that stays asserted, and virtual wire mode.
#
# build: as --64 -o apics.o apics.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o apics.bin apics.o
# run:   npx vmtape run --flat corpora/guests/apics.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.code64
.global _start
.include "console.inc"
.include "long-mode.inc"
.include "timer.inc"

.set APIC, 0xfee00000
.set IOAPIC, 0xfec00000
.set POST_PORT, 0x80
.set PIT_RELOAD, 596                # a tick every 0.4995 ms
.set LOW_VECTOR, 0x45
.set HIGH_VECTOR, 0x52
.set TIMER_VECTOR, 0x61
.set PIT_VECTOR, 0x62
.set UART_VECTOR, 0x63
.set WIRE_VECTOR, 0x20
.set SPURIOUS_VECTOR, 0xff

# A register of the local APIC, whose address is in R15; clobbers EAX.
.macro apic_write offset:req, value:req
    mov eax, \value
    mov dword ptr [r15 + \offset], eax
.endm

# A register of the I/O APIC, whose address is in R14.
.macro ioapic_write register:req, value:req
    mov eax, \register
    mov dword ptr [r14], eax
    mov eax, \value
    mov dword ptr [r14 + 0x10], eax
.endm

# Interrupts are landed where the guest leaves for the host.
.macro leave_for_host
    out POST_PORT, al
    out POST_PORT, al
.endm

# Sleeps until a counter has reached a number.
.macro sleep_until counter:req, number:req
1:  cli
    cmp dword ptr [\counter], \number
    jae 2f
    sti
    hlt
    jmp 1b
2:
.endm

_start:
    cli
    cld
    mov esp, KERNEL_STACK
    call make_descriptors
    .irp name, low, high, timer, pit, uart, wire, spurious
    mov eax, offset on_\name
    mov edi, offset vector_of_\name
    call set_gate
    .endr
    mov r15d, APIC
    mov r14d, IOAPIC
    call init_8259
    mov al, 0xff                    # all masked
    out 0x21, al
    out 0xa1, al

    expect_equal "dword ptr [r15 + 0x30]", 0x50014, "the version of the local APIC"
    ioapic_write 1, 0
    expect_equal "dword ptr [r14 + 0x10]", 0x170011, "the version of the I/O APIC"
    apic_write 0xf0, 0x100 + SPURIOUS_VECTOR

    # Two interrupts wait; the higher class comes first.
    apic_write 0x300, 0x40000 + LOW_VECTOR
    apic_write 0x300, 0x40000 + HIGH_VECTOR
    sti
    leave_for_host
    leave_for_host
    cli
    expect_equal "dword ptr [order]", "(HIGH_VECTOR << 8) + LOW_VECTOR", "the order of two interrupts"

    # CR8 holds a class back.
    mov eax, 5
    mov cr8, rax
    expect_equal "dword ptr [r15 + 0x80]", 0x50, "TPR shows CR8"
    apic_write 0x300, 0x40000 + HIGH_VECTOR
    sti
    leave_for_host
    cli
    expect_equal "dword ptr [highs]", 1, "CR8 holds its class back"
    mov eax, 4
    mov cr8, rax
    sti
    leave_for_host
    cli
    expect_equal "dword ptr [highs]", 2, "and lets it through"
    apic_write 0x80, 0x37
    mov rax, cr8
    expect_equal eax, 3, "CR8 shows TPR"
    expect_equal "dword ptr [r15 + 0xa0]", 0x37, "and so does PPR"
    apic_write 0x80, 0

    # The APIC's timer, 1 GHz by 16: a tick every 0.5 ms, then one alone.
    apic_write 0x3e0, 3
    apic_write 0x320, 0x20000 + TIMER_VECTOR
    apic_write 0x380, 31250
    sleep_until timers, 3
    apic_write 0x380, 0
    # A fourth tick may wait already.
    sti
    leave_for_host
    cli
    mov dword ptr [timers], 0
    apic_write 0x320, TIMER_VECTOR
    apic_write 0x380, 31250
    sleep_until timers, 1
    leave_for_host
    expect_equal "dword ptr [timers]", 1, "one tick in one-shot mode"
    expect_equal "dword ptr [r15 + 0x390]", 0, "and the count stays 0"

    # The PIT, an edge at input 2 of the I/O APIC.
    ioapic_write 0x15, 0
    ioapic_write 0x14, PIT_VECTOR
    call start_pit
    sleep_until pits, 3
    ioapic_write 0x14, 0x10000

    # The same tick through the 8259A and LINT0.
    apic_write 0x350, 0x700
    mov al, 0xfe
    out 0x21, al
    sleep_until wires, 3
    mov al, 0xff
    out 0x21, al
    apic_write 0x350, 0x10000

    # The serial port's "transmitter empty", a level at input 4: asserted still at its first end, it comes again.
    ioapic_write 0x19, 0
    ioapic_write 0x18, 0x8000 + UART_VECTOR
    mov dx, COM1_DATA + 4           # OUT2 lets the interrupt through
    mov al, 8
    out dx, al
    mov dx, COM1_DATA + 1
    mov al, 2
    out dx, al
    sti
    leave_for_host
    leave_for_host
    leave_for_host
    cli
    expect_equal "dword ptr [uarts]", 2, "a level that stays comes again"
    ioapic_write 0x18, 0x10000

    # Errors: an illegal vector that was sent.
    apic_write 0x280, 0
    apic_write 0x300, 0x40003
    apic_write 0x280, 0
    expect_equal "dword ptr [r15 + 0x280]", 0x20, "an illegal vector is told by ESR"
    mov edi, 8
1:  mov eax, edi
    shl eax, 4
    mov ecx, dword ptr [r15 + rax + 0xf0]
    or dword ptr [left], ecx
    dec edi
    jnz 1b
    expect_equal "dword ptr [left]", 0, "nothing is left in service"
    expect_equal "dword ptr [spurious]", 0, "no spurious interrupt"
    finish

init_8259:
    mov al, 0x11
    out 0x20, al
    out 0xa0, al
    mov al, WIRE_VECTOR
    out 0x21, al
    mov al, WIRE_VECTOR + 8
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    ret

# Channel 0, both bytes, mode 2.
start_pit:
    start_8254 PIT_RELOAD
    ret

on_low:
    push rax
    shl dword ptr [order], 8
    or dword ptr [order], LOW_VECTOR
    jmp end_of_interrupt
on_high:
    push rax
    inc dword ptr [highs]
    cmp dword ptr [highs], 1
    ja end_of_interrupt
    shl dword ptr [order], 8
    or dword ptr [order], HIGH_VECTOR
    jmp end_of_interrupt
on_timer:
    push rax
    inc dword ptr [timers]
    jmp end_of_interrupt
on_pit:
    push rax
    inc dword ptr [pits]
    jmp end_of_interrupt
on_uart:
    push rax
    inc dword ptr [uarts]
    cmp dword ptr [uarts], 2
    jb end_of_interrupt
    push rdx
    mov dx, COM1_DATA + 1
    xor eax, eax
    out dx, al
    pop rdx
end_of_interrupt:
    apic_write 0xb0, 0
    pop rax
    iretq
on_wire:
    push rax
    inc dword ptr [wires]
    mov al, 0x20
    out 0x20, al
    pop rax
    iretq
on_spurious:
    inc dword ptr [spurious]
    iretq

.set vector_of_low, LOW_VECTOR
.set vector_of_high, HIGH_VECTOR
.set vector_of_timer, TIMER_VECTOR
.set vector_of_pit, PIT_VECTOR
.set vector_of_uart, UART_VECTOR
.set vector_of_wire, WIRE_VECTOR
.set vector_of_spurious, SPURIOUS_VECTOR

    .text 2
    .balign 8
order:      .long 0                 # the vectors of the first two interrupts, the first in the upper byte
highs:      .long 0
timers:     .long 0
pits:       .long 0
uarts:      .long 0
wires:      .long 0
spurious:   .long 0
left:       .long 0

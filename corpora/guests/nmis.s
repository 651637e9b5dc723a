# Long mode: NMIs that the guest sends to itself by the local APIC's ICR, in all ways that reach it; those that wait for the IRET of
# a handler; messages without effect; and NMIs of the I/O APIC and of LINT0, which wake a guest that halted with interrupts off.
#
# build: as --64 -o nmis.o nmis.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o nmis.bin nmis.o
# run:   npx vmtape run --flat corpora/guests/nmis.bin --load-at 0x100000 --mode long64
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
.set NMI, 2
.set TO_NMI, 0x4400                 # ICR: NMI, assert

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

# Sends an NMI by that command, and expects it in front of the next instruction, once.
.macro nmi_by command:req, text:req
    mov dword ptr [nmis], 0
    apic_write 0x300, \command
1:  mov ebx, dword ptr [nmis]
    expect_equal ebx, 1, "\text: one NMI"
    mov eax, offset 1b
    cmp eax, dword ptr [came_at]
    setne bl
    movzx ebx, bl
    expect_equal ebx, 0, "\text: in front of the next instruction"
.endm

# The message does nothing.
.macro nothing_by command:req, text:req
    mov dword ptr [nmis], 0
    apic_write 0x300, \command
    out POST_PORT, al
    expect_equal "dword ptr [nmis]", 0, "\text"
.endm

# Halts with interrupts off until that many NMIs came.
.macro halt_until number:req
1:  hlt
    cmp dword ptr [nmis], \number
    jb 1b
.endm

_start:
    cli
    cld
    mov esp, KERNEL_STACK
    call make_descriptors
    mov eax, offset on_nmi
    mov edi, NMI
    call set_gate
    mov r15d, APIC
    mov r14d, IOAPIC
    mov al, 0xff                    # the 8259A: all masked
    out 0x21, al
    out 0xa1, al

    # Before software has enabled the APIC, and then.
    apic_write 0x310, 0
    nmi_by TO_NMI, "to id 0, APIC off"
    apic_write 0xf0, 0x1ff
    nmi_by TO_NMI, "to id 0"
    apic_write 0x310, 0xff000000
    nmi_by TO_NMI, "to all"
    nmi_by 0x40000 + TO_NMI, "self"
    nmi_by 0x80000 + TO_NMI, "all including self"
    apic_write 0xd0, 0x02000000
    apic_write 0x310, 0x02000000
    nmi_by 0x800 + TO_NMI, "logical"
    sti
    nmi_by 0x40000 + TO_NMI, "interrupts on"
    cli

    # Who is somebody else, and what is no NMI.
    apic_write 0x310, 0x04000000
    nothing_by 0x800 + TO_NMI, "another logical id"
    apic_write 0x310, 0x01000000
    nothing_by TO_NMI, "another id"
    nothing_by 0xc0000 + TO_NMI, "all excluding self"
    nothing_by 0x40000 + 0x4600 + 0x12, "a start-up"
    nothing_by 0x40000 + 0x4200, "an SMI"
    nothing_by 0x40000 + 0x8500, "INIT level de-assert"

    # The handler sends two more: they become one, behind its IRET, where the guest leaves for the host.
    mov dword ptr [nmis], 0
    mov dword ptr [send], 2
    apic_write 0x300, 0x40000 + TO_NMI
    out POST_PORT, al
    expect_equal "dword ptr [nmis]", 2, "NMIs of a handler become one"
    expect_equal "dword ptr [during]", 1, "behind its IRET"

    # The PIT at input 2 of the I/O APIC, as NMI.
    mov dword ptr [nmis], 0
    ioapic_write 0x15, 0
    ioapic_write 0x14, 0x400
    call start_pit
    halt_until 3
    ioapic_write 0x14, 0x10000

    # The PIT by the 8259A and LINT0, as NMI: edges, so that the interrupt is ended each time.
    call init_8259
    mov al, 0xff                    # ICW1 unmasked all: a tick that came since is to be an edge yet
    out 0x21, al
    mov dword ptr [nmis], 0
    mov dword ptr [ends], 1
    apic_write 0x350, 0x400
    mov al, 0xfe
    out 0x21, al
    halt_until 3
    mov al, 0xff
    out 0x21, al
    finish

init_8259:
    mov al, 0x13                    # single, edges, ICW4
    out 0x20, al
    mov al, 0x20
    out 0x21, al
    mov al, 1
    out 0x21, al
    ret

# Channel 0, both bytes, mode 2.
start_pit:
    start_8254 PIT_RELOAD
    ret

on_nmi:
    push rax
    inc dword ptr [nmis]
    mov rax, qword ptr [rsp + 8]
    mov dword ptr [came_at], eax
    cmp dword ptr [send], 0
    je 2f
1:  apic_write 0x300, 0x40000 + TO_NMI
    out POST_PORT, al
    dec dword ptr [send]
    jnz 1b
    mov eax, dword ptr [nmis]
    mov dword ptr [during], eax
2:  cmp dword ptr [ends], 0
    je 3f
    mov al, 0x0c                    # poll: the next read of the 8259A acknowledges
    out 0x20, al
    in al, 0x20
    mov al, 0x20                    # and ends
    out 0x20, al
3:  pop rax
    iretq

    .text 2
    .balign 8
nmis:       .long 0                 # NMIs that came, and where the last one did
came_at:    .long 0
send:       .long 0                 # how many the handler is to send
during:     .long 0                 # nmis while it ran
ends:       .long 0                 # the 8259A's interrupt is to be ended

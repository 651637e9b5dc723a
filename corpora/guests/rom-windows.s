# A ROM that starts at the reset vector: the host bridge's windows between A0000 and FFFFF (Intel 82441FX, 290549-001, sections 3.2.18 and
# 3.2.19), in all four states of a PAM register, with code that runs there; and the registers of power management where PMBA of the
# 82371AB says. It copies itself to 7C00 first.
#
# build: as --32 -o rom-windows.o rom-windows.s && ld -m elf_i386 -Ttext 0x7c00 --section-start=.reset=0x8bf0 --oformat binary -o rom-windows.bin rom-windows.o
# run:   npx vmtape run --rom corpora/guests/rom-windows.bin
# exit:  33

.intel_syntax noprefix
.code16
.global _start
.include "console.inc"

.set CONFIG_ADDRESS, 0xcf8
.set CONFIG_DATA, 0xcfc
.set HOST_BRIDGE, 0x80000000        # 00:00.0
.set POWER_MANAGEMENT, 0x80000b00   # 00:01.3
.set PAM0, 0x59                     # bits 5:4: F0000 to FFFFF
.set PAM1, 0x5a                     # bits 1:0: C0000 to C3FFF; bits 5:4: C4000 to C7FFF
.set SMRAM, 0x72
.set PMBA, 0x40
.set PMREGMISC, 0x80
.set PM_TIMER, 0xb008

.macro configure register:req, value:req, function=HOST_BRIDGE
    mov eax, \function + ((\register) & 0xfc)
    mov bl, \value
    mov dx, CONFIG_DATA + ((\register) & 3)
    call write_config
.endm

# The byte at segment:0 is `value`.
.macro expect_byte segment:req, value:req, text:req
    mov ax, \segment
    mov es, ax
    expect_equal "byte ptr es:[0]", \value, "\text"
.endm

.macro put_byte segment:req, value:req
    mov ax, \segment
    mov es, ax
    mov byte ptr es:[0], \value
.endm

# `answer`, as it is seen in the ROM's place, returns `value` in AL.
.macro expect_answer value:req, text:req
    .byte 0x9a                      # call F000:answer
    .word answer - _start + 0xf000, 0xf000
    expect_equal al, \value, "\text"
.endm

_start:
    cld
    mov ax, 0xf000
    mov ds, ax
    xor ax, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x5000
    mov si, 0xf000
    mov di, 0x7c00
    mov cx, 0x1000
    rep movsb
    .byte 0xea                      # jmp 0:begin
    .word begin, 0
begin:
    xor ax, ax
    mov ds, ax

    print "After power-on the bus is there\n"
    expect_byte 0xa000, 0xff, "A0000"
    expect_byte 0xc000, 0xff, "C0000"
    expect_byte 0xf000, 0xff, "F0000, below the ROM"
    expect_answer 1, "the ROM"
    put_byte 0xc000, 0x5a
    expect_byte 0xc000, 0xff, "a write goes nowhere"

    print "RAM at C0000, the bus at C4000\n"
    configure PAM1, 0x03
    expect_byte 0xc000, 0, "RAM"
    put_byte 0xc000, 0x11
    expect_byte 0xc000, 0x11, "can be written"
    put_byte 0xc400, 0x12
    expect_byte 0xc400, 0xff, "its neighbour cannot"

    print "Read only\n"
    configure PAM1, 0x31
    put_byte 0xc000, 0x22
    expect_byte 0xc000, 0x11, "it keeps what it has"
    put_byte 0xc400, 0x33
    expect_byte 0xc400, 0x33, "its neighbour is RAM now"

    print "Write only\n"
    configure PAM1, 0x02
    expect_byte 0xc000, 0xff, "the bus is read"
    put_byte 0xc000, 0x44
    configure PAM1, 0x11
    expect_byte 0xc000, 0x44, "the write is in RAM"
    expect_byte 0xc400, 0x33, "what was not shown is as it was"

    print "The ROM becomes RAM\n"
    configure PAM0, 0x20
    mov ax, 0xf000
    mov ds, ax
    mov es, ax
    mov si, 0xf000
    mov di, 0xf000
    mov cx, 0x400
    rep movsd                       # reads the ROM, and writes RAM
    xor ax, ax
    mov ds, ax
    expect_answer 1, "its code is still the ROM's"
    configure PAM0, 0x30
    expect_answer 1, "its copy says the same"
    mov ax, 0xf000
    mov es, ax
    mov byte ptr es:[answer - _start + 0xf001], 2
    expect_answer 2, "the copy is changed"
    configure PAM0, 0x10
    mov ax, 0xf000
    mov es, ax
    mov byte ptr es:[answer - _start + 0xf001], 3
    expect_answer 2, "and cannot be changed any more"
    configure PAM0, 0x00
    expect_answer 1, "the ROM is as it was"
    configure PAM0, 0x10
    expect_answer 2, "and so is the copy"

    print "SMRAM\n"
    configure SMRAM, 0x4a
    put_byte 0xa000, 0x66
    expect_byte 0xa000, 0x66, "open"
    configure SMRAM, 0x1a
    expect_byte 0xa000, 0xff, "locked"
    configure SMRAM, 0x4a
    expect_byte 0xa000, 0xff, "and it stays so"

    print "Power management\n"
    call read_timer
    expect_equal eax, -1, "nothing at B008"
    configure PMBA + 1, 0xb0, POWER_MANAGEMENT
    configure PMREGMISC, 1, POWER_MANAGEMENT
    call read_timer
    mov dword ptr [first], eax
    shr eax, 24
    expect_equal al, 0, "a timer of 24 bits"
    mov cx, 100
1:  in al, 0x80
    loop 1b
    call read_timer
    cmp dword ptr [first], eax
    setb byte ptr [flag]
    expect_equal "byte ptr [flag]", 1, "which counts"
    configure PMREGMISC, 0, POWER_MANAGEMENT
    call read_timer
    expect_equal eax, -1, "nothing again"
    finish

# BL to the register whose dword is EAX, at port DX of its bytes.
write_config:
    push dx
    mov dx, CONFIG_ADDRESS
    out dx, eax
    pop dx
    mov al, bl
    out dx, al
    ret

read_timer:
    mov dx, PM_TIMER
    in eax, dx
    ret

answer:
    mov al, 1
    retf

    .text 2
first:  .long 0
flag:   .byte 0

    .section .reset, "ax"
    .byte 0xea                      # jmp F000:F000
    .word 0xf000, 0xf000
    .fill 11, 1, 0xff

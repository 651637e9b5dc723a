# Real mode: string I/O in all its forms, on COM1, on the debug console (port E9) and on a port where nothing is.
#
# build: as --32 -o real-strings.o real-strings.s && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o real-strings.bin real-strings.o
# run:   npx vmtape run --flat corpora/guests/real-strings.bin --load-at 0x7c00 --mode real
# exit:  33

.intel_syntax noprefix
.code16
.global _start
.include "console.inc"

.set DEBUG_CONSOLE, 0xe9
.set COM1_FIFO_CONTROL, 0x3fa
.set COM1_SCRATCH, 0x3ff            # a byte of memory in the UART
.set NOBODY, 0x1234                 # no device: reads are all ones
.set BUFFER, 0x6000
.set FIFO_DEPTH, 16

_start:
    .byte 0xea                      # jmp 0:begin, so that CS is 0 whatever it was
    .word begin, 0
begin:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x5000
    cld

    # A text to COM1 by REP OUTSB, as much at once as the FIFO takes.
    mov dx, COM1_FIFO_CONTROL
    mov al, 1
    out dx, al
    mov si, offset greeting
    mov bx, offset greeting_length
send_more:
    mov dx, COM1_LINE_STATUS
    in al, dx
    test al, 0x20
    jz send_more
    mov cx, FIFO_DEPTH
    cmp bx, cx
    jae 1f
    mov cx, bx
1:  sub bx, cx
    mov dx, COM1_DATA
    rep outsb
    test bx, bx
    jnz send_more

    # The same to the debug console: at once, then from the end (DF set), then with an override and 32-bit addresses.
    mov dx, DEBUG_CONSOLE
    mov si, offset greeting
    mov cx, offset greeting_length
    rep outsb
    std
    mov si, offset backwards_end - 1
    mov cx, offset backwards_length
    rep outsb
    cld
    mov ax, BUFFER / 16
    mov fs, ax
    mov byte ptr [BUFFER], '3'
    mov byte ptr [BUFFER + 1], '2'
    mov byte ptr [BUFFER + 2], '\n'
    xor esi, esi
    mov ecx, 3
    .byte 0x64, 0x67                # FS:, 32-bit addresses
    rep outsb
    xor cx, cx
    rep outsb                       # nothing

    # REP INSB from a register that answers.
    mov dx, COM1_SCRATCH
    mov al, 0xa5
    out dx, al
    mov di, BUFFER
    mov cx, 20
    rep insb
    mov di, BUFFER
    mov cx, 20
    repe scasb
    expect_zero_flag "rep insb from the scratch register"

    # REP INSW and INSD from where nothing is.
    mov dx, NOBODY
    mov di, BUFFER
    mov cx, 8
    rep insw
    mov cx, 4
    rep insd
    mov di, BUFFER
    mov cx, 8
    mov eax, 0xffffffff
    repe scasd
    expect_zero_flag "rep insw and insd from nobody"
    expect_equal di, BUFFER + 32, "di after them"

    # And out to there, wider; the source pointer must come out right.
    mov dx, NOBODY
    mov si, BUFFER
    mov cx, 5
    rep outsw
    mov cx, 2
    rep outsd
    expect_equal si, BUFFER + 18, "si after outsw and outsd"

    # Backwards into memory.
    std
    mov dx, COM1_SCRATCH
    mov di, BUFFER + 3
    mov cx, 3
    rep insb
    cld
    expect_equal "dword ptr [BUFFER]", 0xa5a5a5ff, "rep insb backwards"

    # DI wraps from FFFF to 0 within one instruction.
    mov bx, word ptr [0]            # an interrupt vector stands there
    mov dx, COM1_SCRATCH
    mov di, 0xfffe
    mov cx, 4
    rep insb
    mov ax, word ptr [0]
    mov word ptr [0], bx
    expect_equal ax, 0xa5a5, "rep insb around the end of the segment"
    mov ax, word ptr [0xfffe]
    expect_equal ax, 0xa5a5, "the bytes before it"

    # Interrupts through the real-mode table: by INT and by a division.
    mov word ptr [4 * 0x40], offset count_call
    mov word ptr [4 * 0x40 + 2], 0
    mov word ptr [0], offset skip_division
    mov word ptr [2], 0
    int 0x40
    int 0x40
    expect_equal "byte ptr [calls]", 2, "int 40h"
    xor bl, bl
    mov ax, 1
division:
    div bl
after_division:
    expect_equal "byte ptr [divisions]", 1, "division by zero"
    finish

count_call:
    inc byte ptr [calls]
    iret

skip_division:                      # the stack has IP (of the division itself), CS, FLAGS
    push bp
    mov bp, sp
    add word ptr [bp + 2], offset after_division - division
    pop bp
    inc byte ptr [divisions]
    iret

    .text 2
greeting:
    .ascii "Real mode says hello, sixteen bytes at a time.\n"
.set greeting_length, . - greeting
backwards:
    .ascii "\nsdrawkcab"
backwards_end:
.set backwards_length, backwards_end - backwards
calls:     .byte 0
divisions: .byte 0
    .text 0

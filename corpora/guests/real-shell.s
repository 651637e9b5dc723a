# Real mode: a shell on COM1 for somebody to type at, by interrupts: a line is edited with Backspace and echoed as it is typed.
# The commands: help; echo TEXT; uptime, which no two runs on KVM answer alike; exit; off, which cuts the power; crash, a triple fault; lost, which goes
# where no memory is. If no key comes within five seconds of the prompt, nobody is there, and the run ends well.
#
# build: as --32 -o real-shell.o real-shell.s && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o real-shell.bin real-shell.o
# run:   npx vmtape run --flat corpora/guests/real-shell.bin --load-at 0x7c00 --mode real
# exit:  33

.intel_syntax noprefix
.code16
.global _start
.include "console.inc"
.include "timer.inc"

.set COM1_INTERRUPTS, 0x3f9
.set COM1_FIFO_CONTROL, 0x3fa
.set COM1_LINE_CONTROL, 0x3fb
.set COM1_MODEM_CONTROL, 0x3fc
.set PIT_RELOAD, 11932              # 1193182 Hz / 11932: a tick every 10 ms
.set PATIENCE, 500                  # ticks until the first key
.set PM1_CONTROL, 0x604
.set SLEEP_S5, 0x3400               # SLP_EN, SLP_TYP 5
.set RING, 0x6000                   # 256 bytes
.set LINE, 0x6100
.set LINE_MAX, 60

_start:
    .byte 0xea                      # jmp 0:begin, so that CS is 0 whatever it was
    .word begin, 0
begin:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x5000
    mov word ptr [8 * 4], offset tick
    mov word ptr [8 * 4 + 2], ax
    mov word ptr [12 * 4], offset received
    mov word ptr [12 * 4 + 2], ax

    # 8259: vectors from 8, lines 0 and 4 open.
    mov al, 0x11
    out 0x20, al
    mov al, 8
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, 0xee
    out 0x21, al

    start_8254 PIT_RELOAD

    # 16550: eight bits, no FIFO, DTR, RTS and OUT2, interrupts for received bytes.
    mov dx, COM1_LINE_CONTROL
    mov al, 3
    out dx, al
    mov dx, COM1_FIFO_CONTROL
    xor al, al
    out dx, al
    mov dx, COM1_MODEM_CONTROL
    mov al, 0x0b
    out dx, al
    mov dx, COM1_INTERRUPTS
    mov al, 1
    out dx, al

    print "A shell in real mode; try help.\n"
prompt:
    print "$ "
    mov word ptr [length], 0
next_key:
    call get_key
    cmp al, '\r'
    je entered
    cmp al, '\n'
    je entered
    cmp al, 0x7f
    je backspace
    cmp al, 8
    je backspace
    cmp al, ' '
    jb next_key
    mov di, word ptr [length]
    cmp di, LINE_MAX
    jae next_key
    mov byte ptr [di + LINE], al
    inc word ptr [length]
    call put_key
    jmp next_key
backspace:
    cmp word ptr [length], 0
    je next_key
    dec word ptr [length]
    print "\b \b"
    jmp next_key

entered:
    print "\n"
    mov di, word ptr [length]
    mov byte ptr [di + LINE], 0
    mov si, offset word_help
    call is_command
    je help
    mov si, offset word_uptime
    call is_command
    je uptime
    mov si, offset word_exit
    call is_command
    je end
    mov si, offset word_off
    call is_command
    je power_off
    mov si, offset word_crash
    call is_command
    je crash
    mov si, offset word_lost
    call is_command
    je lost
    mov si, offset word_echo
    call begins_with
    je echo
    cmp word ptr [length], 0
    je prompt
    print "what is that? try help\n"
    jmp prompt

help:
    print "help, echo TEXT, uptime, exit, off, crash, lost\n"
    jmp prompt
echo:
    mov si, LINE + 5
    call puts
    print "\n"
    jmp prompt
uptime:
    print "up for "
    mov eax, dword ptr [ticks]
    call put_decimal
    print " ticks\n"
    jmp prompt
power_off:
    print "good night\n"
    mov dx, PM1_CONTROL
    mov ax, SLEEP_S5
    out dx, ax
    jmp prompt
lost:
    print "going\n"
    cli
    lgdt [descriptors_pointer]
    mov eax, 1
    mov cr0, eax
    .byte 0xea                      # jmp 8:0
    .word 0, 8
crash:
    print "crashing\n"
    cli
    lidt [no_idt]
    int3
end:
    finish
nobody:
    print "\nNobody is there.\n"
    jmp end

# ZF: the line is the word at SI.
is_command:
    call begins_with
    jne 1f
    cmp byte ptr [di], 0
1:  ret
# ZF: the line begins with the word at SI; DI is behind it.
begins_with:
    mov di, LINE
1:  mov al, byte ptr [si]
    test al, al
    je 2f
    cmp al, byte ptr [di]
    jne 2f
    inc si
    inc di
    jmp 1b
2:  ret

# AL: the next key, for which it waits.
get_key:
    cli
    mov bx, word ptr [taken]
    cmp bl, byte ptr [filled]
    jne 1f
    cmp byte ptr [was_typed], 0
    jne 2f
    cmp dword ptr [ticks], PATIENCE
    jae nobody
2:  sti
    hlt
    jmp get_key
1:  mov byte ptr [was_typed], 1
    mov al, byte ptr [bx + RING]
    inc byte ptr [taken]
    sti
    ret

put_key:
    mov byte ptr [key], al
    mov esi, offset key
    jmp puts

tick:
    push ax
    inc dword ptr [ticks]
    mov al, 0x20                    # end of interrupt
    out 0x20, al
    pop ax
    iret

received:
    push ax
    push bx
    push dx
1:  mov dx, COM1_LINE_STATUS
    in al, dx
    test al, 1
    jz 2f
    mov dx, COM1_DATA
    in al, dx
    mov bl, byte ptr [filled]
    xor bh, bh
    mov byte ptr [bx + RING], al
    inc byte ptr [filled]
    jmp 1b
2:  mov al, 0x20
    out 0x20, al
    pop dx
    pop bx
    pop ax
    iret

    .text 2
word_help:   .asciz "help"
word_echo:   .asciz "echo "
word_uptime: .asciz "uptime"
word_exit:   .asciz "exit"
word_off:    .asciz "off"
word_crash:  .asciz "crash"
word_lost:   .asciz "lost"
no_idt:      .word 0
             .long 0
descriptors: .quad 0
             .quad 0xe0009a000000ffff    # code, 64 KiB from E0000000h
descriptors_pointer: .word 15
             .long descriptors
ticks:       .long 0
length:      .word 0
taken:       .word 0
filled:      .byte 0
was_typed:   .byte 0
key:         .byte 0, 0

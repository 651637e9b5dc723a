# Bench: nothing but exits. A round writes a byte to the POST port and reads one from the debug console.
# The u32 at offset 4 of the image is how many rounds it runs; bench/ writes another there.
#
# build: as --32 -o bench-exits.o bench-exits.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o bench-exits.bin bench-exits.o
# run:   npx vmtape run --flat corpora/guests/bench-exits.bin --load-at 0x100000 --mode prot32
# exit:  33

.intel_syntax noprefix
.code32
.global _start
.include "console.inc"

_start:
    jmp begin
    .balign 4
rounds:
    .long 10000
begin:
    mov esp, 0x90000
    mov ecx, dword ptr [rounds]
1:  mov al, cl
    out 0x80, al
    in al, 0xe9
    dec ecx
    jnz 1b
    cmp al, 0xe9                    # what the console answers, as a sign that it is there
    expect_zero_flag "the debug console answers"
    finish

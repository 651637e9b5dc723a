# Bench: a tight loop of integer instructions on registers.
# The u32 at offset 4 of the image is how many rounds it runs; bench/ writes another there. The lines "bench-alu start" and
# "bench-alu end" enclose what is measured.
#
# build: as --32 -o bench-alu32.o bench-alu.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o bench-alu32.bin bench-alu32.o
# build: as --64 --defsym LONG=1 -o bench-alu64.o bench-alu.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o bench-alu64.bin bench-alu64.o
# run:   npx vmtape run --flat corpora/guests/bench-alu32.bin --load-at 0x100000 --mode prot32
# run:   npx vmtape run --flat corpora/guests/bench-alu64.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.ifdef LONG
.code64
.else
.code32
.endif
.global _start
.include "console.inc"

# \r is the first letter of the registers: 64 or 32 bits wide.
.macro measured r
1:  add \r\()ax, \r\()bx
    xor \r\()bx, \r\()cx
    lea \r\()dx, [\r\()ax + \r\()bx * 2 + 5]
    rol \r\()dx, 3
    sub \r\()cx, \r\()dx
    and \r\()dx, \r\()si
    or  \r\()bx, \r\()dx
    shr \r\()dx, 2
    add \r\()cx, \r\()dx
    dec edi
    jnz 1b
.endm

_start:
    jmp begin
    .balign 4
rounds:
    .long 10000000
begin:
    cld
    mov esp, 0x90000
    print "bench-alu start\n"
    mov eax, 1
    mov ebx, 2
    mov ecx, 3
    mov esi, 0x5a5a5a5a
    mov edi, dword ptr [rounds]
.ifdef LONG
    measured r
.else
    measured e
.endif
    mov dword ptr [sum], eax
    print "bench-alu end, sum "
    mov eax, dword ptr [sum]
    call put_hex
    print "\n"
    finish

    .text 2
    .balign 4
sum: .long 0

# Bench: walks 8 MiB of memory, reading and writing; a round is one walk.
# The u32 at offset 4 of the image is how many rounds it runs; bench/ writes another there. The lines "bench-mem start" and
# "bench-mem end" enclose what is measured.
#
# build: as --32 -o bench-mem32.o bench-mem.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o bench-mem32.bin bench-mem32.o
# build: as --64 --defsym LONG=1 -o bench-mem64.o bench-mem.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o bench-mem64.bin bench-mem64.o
# run:   npx vmtape run --flat corpora/guests/bench-mem32.bin --load-at 0x100000 --mode prot32
# run:   npx vmtape run --flat corpora/guests/bench-mem64.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.ifdef LONG
.code64
.else
.code32
.endif
.global _start
.include "console.inc"

.set AREA, 0x800000
.set AREA_SIZE, 0x800000

.macro measured r
1:  mov esi, AREA
    mov ecx, AREA_SIZE / 32
2:  add \r\()ax, [\r\()si]
    mov \r\()bx, [\r\()si + 16]
    xor \r\()ax, \r\()bx
    mov [\r\()si + 8], \r\()ax
    add [\r\()si + 24], \r\()bx
    add esi, 32
    dec ecx
    jnz 2b
    dec edi
    jnz 1b
.endm

_start:
    jmp begin
    .balign 4
rounds:
    .long 50
begin:
    cld
    mov esp, 0x90000
    print "bench-mem start\n"
    mov eax, 1
    mov edi, dword ptr [rounds]
.ifdef LONG
    measured r
.else
    measured e
.endif
    mov dword ptr [sum], eax
    print "bench-mem end, sum "
    mov eax, dword ptr [sum]
    call put_hex
    print "\n"
    finish

    .text 2
    .balign 4
sum: .long 0

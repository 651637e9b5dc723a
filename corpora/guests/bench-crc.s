# Bench: CRC-32 by table over 4 KiB, a call for each byte, branches on the data; a round is one pass.
# The u32 at offset 4 of the image is how many rounds it runs; bench/ writes another there. The lines "bench-crc start" and
# "bench-crc end" enclose what is measured.
#
# build: as --32 -o bench-crc32.o bench-crc.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o bench-crc32.bin bench-crc32.o
# build: as --64 --defsym LONG=1 -o bench-crc64.o bench-crc.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o bench-crc64.bin bench-crc64.o
# run:   npx vmtape run --flat corpora/guests/bench-crc32.bin --load-at 0x100000 --mode prot32
# run:   npx vmtape run --flat corpora/guests/bench-crc64.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.ifdef LONG
.code64
.else
.code32
.endif
.global _start
.include "console.inc"

.set TABLE, 0x200000
.set BUFFER, 0x210000
.set BUFFER_SIZE, 4096

.macro measured r
    call make_table
    call make_buffer
    mov edi, dword ptr [rounds]
    mov eax, -1
1:  mov esi, BUFFER
2:  movzx ecx, byte ptr [\r\()si]
    call add_byte
    inc esi
    cmp esi, BUFFER + BUFFER_SIZE
    jb 2b
    dec edi
    jnz 1b
    not eax
    jmp measured_end

# Adds CL to the CRC in EAX; counts in EBP how often the CRC was odd and then small.
add_byte:
    xor cl, al
    shr eax, 8
    xor eax, dword ptr [TABLE + \r\()cx * 4]
    test al, 1
    jz 3f
    cmp eax, 0x40000000
    jae 3f
    inc ebp
3:  ret

# 256 entries for the reflected polynomial EDB88320.
make_table:
    xor ecx, ecx
4:  mov eax, ecx
    mov edx, 8
5:  shr eax, 1
    jnc 6f
    xor eax, 0xedb88320
6:  dec edx
    jnz 5b
    mov dword ptr [TABLE + \r\()cx * 4], eax
    inc ecx
    cmp ecx, 256
    jb 4b
    ret

make_buffer:
    mov eax, 12345
    mov edi, BUFFER
    mov ecx, BUFFER_SIZE
7:  imul eax, eax, 1103515245
    add eax, 12345
    mov edx, eax
    shr edx, 16
    mov byte ptr [\r\()di], dl
    inc edi
    dec ecx
    jnz 7b
    ret
measured_end:
.endm

_start:
    jmp begin
    .balign 4
rounds:
    .long 3000
begin:
    cld
    mov esp, 0x90000
    print "bench-crc start\n"
    xor ebp, ebp
    xor ecx, ecx
.ifdef LONG
    measured r
.else
    measured e
.endif
    mov dword ptr [sum], eax
    print "bench-crc end, sum "
    mov eax, dword ptr [sum]
    call put_hex
    print "\n"
    finish

    .text 2
    .balign 4
sum: .long 0

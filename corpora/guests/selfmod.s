# Code that changes code: an immediate, the very next instruction, an instruction that lies across two pages, a routine written
# by REP MOVSB, and one that is replaced while it is being called in turns.
#
# build: as --32 -o selfmod.o selfmod.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o selfmod.bin selfmod.o
# run:   npx vmtape run --flat corpora/guests/selfmod.bin --load-at 0x100000 --mode prot32
# exit:  33

.intel_syntax noprefix
.code32
.global _start
.include "console.inc"

.set BUFFER, 0x180000
.set PAGE_CROSSING, BUFFER + 0x1ffd # MOV EAX, imm32 with three of its five bytes on the first page

_start:
    cld
    mov esp, 0x90000

    # A loop whose addend grows with each round: 1 + 2 + … + 100.
    xor eax, eax
    mov ecx, 100
1:  inc dword ptr [addend + 1]
addend:
    .byte 0x05                      # ADD EAX, imm32
    .long 0
    loop 1b
    expect_equal eax, 5050, "an immediate, changed in a loop"

    # The next instruction: INC EAX becomes DEC EAX before it is reached, within the same straight line.
    mov eax, 10
    mov byte ptr [next], 0x48
next:
    inc eax                         # 40
    expect_equal eax, 9, "the next instruction"

    # The same, twice, each time back and forth, so that no cached copy of either can survive.
    mov ecx, 50
    mov eax, 1000
2:  mov byte ptr [turn], 0x40
    call turn
    call turn
    mov byte ptr [turn], 0x48
    call turn
    loop 2b
    expect_equal eax, 1050, "a routine changed between calls"

    # An instruction across a page boundary; only its second page changes.
    mov byte ptr [PAGE_CROSSING], 0xb8
    mov dword ptr [PAGE_CROSSING + 1], 0x11223344
    mov byte ptr [PAGE_CROSSING + 5], 0xc3
    mov ebx, PAGE_CROSSING
    call ebx
    expect_equal eax, 0x11223344, "an instruction across two pages"
    mov ebx, PAGE_CROSSING
    mov byte ptr [ebx + 4], 0x99
    call ebx
    expect_equal eax, 0x99223344, "its half on the second page"

    # Two routines copied to the same place by REP MOVSB, in turns.
    xor ebp, ebp
    mov edx, 10
3:  mov esi, offset add_three
    call copy_and_call
    mov esi, offset double_it
    call copy_and_call
    dec edx
    jnz 3b
    expect_equal ebp, 6138, "routines copied over each other"

    # A long fill of one-byte instructions, then a hole in it.
    mov edi, BUFFER + 0x4000
    mov ecx, 4000
    mov al, 0x43                    # INC EBX
    rep stosb
    mov byte ptr [edi], 0xc3
    xor ebx, ebx
    mov esi, BUFFER + 0x4000
    call esi
    mov dword ptr [BUFFER + 0x4000 + 2000], 0x90909090
    call esi
    expect_equal ebx, 7996, "a long run of instructions with a hole"
    finish

turn:
    inc eax
    ret

copy_and_call:
    mov edi, BUFFER
    mov ecx, offset routine_length
    rep movsb
    mov edi, BUFFER
    jmp edi

add_three:
    add ebp, 3
    nop
    ret
.set routine_length, . - add_three
double_it:
    add ebp, ebp
    nop
    nop
    ret

# What a processor remembers of page tables, asked by clearing accessed and dirty bits without INVLPG: whether a later access sets them again
# says whether its translation was cached. The answers are the processor's own, so there is no right one; but the interpreter must give the
# same ones however its run began, and whatever code it had decoded before. Each round prints five digits:
#
#   data that was read before        1: the accessed bit was set again
#   the page of code, written to     1: the dirty bit was set again
#   the page of code, called         1: the accessed bit was set again, after a call to a page that a cache by 64 MiB keeps in its place
#   the routine in that page, which returns a digit, and which was changed behind the last exit
#   a page that is written to, gets its first code, and is written to again: 1: the dirty bit was set again
#
# build: as --64 -o translations.o translations.s && ld -m elf_x86_64 -Ttext 0x100000 --oformat binary -o translations.bin translations.o
# run:   npx vmtape run --flat corpora/guests/translations.bin --load-at 0x100000 --mode long64
# exit:  33

.intel_syntax noprefix
.code64
.global _start
.include "console.inc"

.set PML4, 0x200000
.set PDPT, 0x201000
.set IDENTITY, 0x202000             # page directory of the first GiB: 2 MiB identical
.set DIRECTORY, 0x203000            # of the second
.set TABLE, 0x204000                # of its first 2 MiB
.set FAR_TABLE, 0x205000            # of the 2 MiB that are 64 MiB behind
.set PAGES, 0x280000                # the physical pages behind both: eight each

.set DATA, 0x40000000
.set CODE, 0x40001000
.set FAR_CODE, 0x44001000
.set FRESH, 0x40002000              # a page a round

.set PRESENT_WRITABLE, 3
.set ACCESSED, 0x20
.set DIRTY, 0x40
.set ROUNDS, 3

# Prints 1 if a bit of the entry of TABLE with this number is set, else 0.
.macro print_bit number:req, bit:req
    test byte ptr [TABLE + \number * 8], \bit
    setnz al
    add al, '0'
    call put
.endm

_start:
    cld
    mov esp, 0x90000
    call make_tables
    mov eax, PML4
    mov cr3, rax

    mov dword ptr [CODE], 0xc330b0          # mov al, '0'; ret
    mov byte ptr [FAR_CODE], 0xc3           # ret
    xor ebp, ebp
round:
    mov al, byte ptr [DATA]
    and byte ptr [TABLE], ~ACCESSED & 0xff
    call tell
    mov al, byte ptr [DATA]
    print_bit 0, ACCESSED

    mov ecx, CODE
    call rcx
    mov byte ptr [CODE + 0x800], 1
    and byte ptr [TABLE + 8], ~DIRTY & 0xff
    call tell
    mov byte ptr [CODE + 0x800], 2
    print_bit 1, DIRTY

    mov ecx, CODE
    call rcx
    mov ecx, FAR_CODE
    call rcx
    and byte ptr [TABLE + 8], ~ACCESSED & 0xff
    call tell
    mov ecx, CODE
    call rcx
    print_bit 1, ACCESSED

    call tell
    inc byte ptr [CODE + 1]
    mov ecx, CODE
    call rcx
    call put

    mov ecx, ebp
    shl ecx, 12
    mov byte ptr [rcx + FRESH + 0x800], 1
    mov byte ptr [rcx + FRESH], 0xc3
    and byte ptr [TABLE + 16 + rbp * 8], ~DIRTY & 0xff
    call tell
    add ecx, FRESH
    call rcx
    mov byte ptr [rcx + 0x800], 2
    test byte ptr [TABLE + 16 + rbp * 8], DIRTY
    setnz al
    add al, '0'
    call put

    mov al, '\n'
    call put
    inc ebp
    cmp ebp, ROUNDS
    jne round
    finish

# An exit that is a record.
tell:
    mov al, ' '
# AL.
put:
    mov ah, al
    mov dx, COM1_LINE_STATUS
1:  in al, dx
    test al, 0x20
    jz 1b
    mov al, ah
    mov dx, COM1_DATA
    out dx, al
    ret

make_tables:
    mov edi, PML4
    mov ecx, 6 * 0x1000 / 8
    xor eax, eax
    rep stosq
    mov dword ptr [PML4], PDPT + PRESENT_WRITABLE
    mov dword ptr [PDPT], IDENTITY + PRESENT_WRITABLE
    mov dword ptr [PDPT + 8], DIRECTORY + PRESENT_WRITABLE
    mov dword ptr [DIRECTORY], TABLE + PRESENT_WRITABLE
    mov dword ptr [DIRECTORY + 32 * 8], FAR_TABLE + PRESENT_WRITABLE
    mov eax, 0x80 + PRESENT_WRITABLE        # 2 MiB pages
    xor ecx, ecx
1:  mov dword ptr [IDENTITY + rcx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 8
    jne 1b
    mov eax, PAGES + PRESENT_WRITABLE
    xor ecx, ecx
2:  mov dword ptr [TABLE + rcx * 8], eax
    lea edx, [rax + 0x8000]
    mov dword ptr [FAR_TABLE + rcx * 8], edx
    add eax, 0x1000
    inc ecx
    cmp ecx, 8
    jne 2b
    ret

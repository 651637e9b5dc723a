# Carries a flat guest under any Multiboot loader (QEMU's -kernel), and enters it as vmtape's --mode prot32 does, or with LONG
# defined as --mode long64 does. The guest (file guest.bin in the assembler's include path) lands at 1 MiB.
.intel_syntax noprefix
.code32
.global _start
.set LOADER, 0x10000                # where this file itself lies
.set TABLES, 0x20000
.set GUEST, 0x100000

.text
header:
    .long 0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
    .long LOADER, LOADER, image_end, image_end, _start

_start:
    cld
    mov esi, offset guest
    mov edi, GUEST
    mov ecx, offset guest_length
    rep movsb
    lgdt [gdt_pointer]
.ifdef LONG
    # PML4[0] → PDPT; PDPT[0..3] → four page directories of 2 MiB pages.
    mov edi, TABLES
    mov ecx, 6 * 1024
    xor eax, eax
    rep stosd
    mov dword ptr [TABLES], TABLES + 0x1000 + 3
    mov edi, TABLES + 0x1000
    mov eax, TABLES + 0x2000 + 3
    mov ecx, 4
1:  mov dword ptr [edi], eax
    add eax, 0x1000
    add edi, 8
    loop 1b
    mov edi, TABLES + 0x2000
    mov eax, 0x83
    mov ecx, 2048
2:  mov dword ptr [edi], eax
    add eax, 0x200000
    add edi, 8
    loop 2b
    mov eax, TABLES
    mov cr3, eax
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000001
    mov cr0, eax
.endif
    .byte 0xea
    .long entered
    .word 8
.ifdef LONG
.code64
.endif
entered:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, GUEST
    mov eax, GUEST
.ifdef LONG
    jmp rax
.else
    jmp eax
.endif

    .balign 8
gdt:
    .quad 0
.ifdef LONG
    .quad 0x00af9b000000ffff
.else
    .quad 0x00cf9b000000ffff
.endif
    .quad 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt
guest:
    .incbin "guest.bin"
guest_end:
.set guest_length, guest_end - guest
image_end:

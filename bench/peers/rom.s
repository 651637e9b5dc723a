# Carries a flat guest (guest.bin in the assembler's include path) as the firmware of another emulator, QEMU or Bochs, and
# enters it as vmtape's --mode prot32 does, or with LONG defined as --mode long64 does. 64 KiB, mapped to F0000h.
#
# as --32 [--defsym LONG=1] -o rom.o rom.s && ld -m elf_i386 -Ttext 0xf0000 --oformat binary -o rom.bin rom.o
.intel_syntax noprefix
.global _start
.set TABLES, 0x20000
.set GUEST, 0x100000

.text
.code16
_start:
    cli
    cs lgdtd [gdt_pointer - _start]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xea                # jmp 8:protected
    .long protected
    .word 8

.code32
protected:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov dx, 0x3fb                   # COM1 as firmware leaves it: 115200 baud, 8 bits
    mov al, 0x80
    out dx, al
    mov dx, 0x3f9
    xor al, al
    out dx, al
    mov dx, 0x3f8
    inc al
    out dx, al
    mov dx, 0x3fb
    mov al, 3
    out dx, al
    cld
    mov esi, offset guest
    mov edi, GUEST
    mov ecx, offset guest_length
    rep movsb
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
    .byte 0xea                      # jmp 18:entered, 64-bit code
    .long entered
    .word 0x18
.code64
entered:
    mov esp, GUEST
    mov eax, GUEST
    jmp rax
.else
    mov esp, GUEST
    mov eax, GUEST
    jmp eax
.endif

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        # 08: 32-bit code
    .quad 0x00cf93000000ffff        # 10: data
    .quad 0x00af9b000000ffff        # 18: 64-bit code
gdt_pointer:
    .word . - gdt - 1
    .long gdt
guest:
    .incbin "guest.bin"
guest_end:
.set guest_length, guest_end - guest

    .org 0xfff0
.code16
    .byte 0xea                      # jmp F000:_start, where the processor begins
    .word 0, 0xf000
    .org 0xffff
    .byte 0

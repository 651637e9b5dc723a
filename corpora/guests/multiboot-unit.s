# A 32-bit ELF file that is a Multiboot kernel and enters 64-bit mode by itself, as the unit tests do that are made for QEMU's PC:
# a table of 2 MiB pages, GS base kept over the segment loads, an IDT at address 0, a task register, the local APIC
# switched off and on, INIT and SIPI to processors that are not there, fw_cfg for their number and for memory, the command line.
#
# build: as --64 -o multiboot-unit.o multiboot-unit.s && ld -m elf_x86_64 -n -z noexecstack -Ttext 0x400000 -o multiboot-unit.elf multiboot-unit.o && objcopy -O elf32-i386 --strip-all multiboot-unit.elf multiboot-unit.bin
# run:   npx vmtape run --kernel corpora/guests/multiboot-unit.bin --append unit
# exit:  33

.intel_syntax noprefix
.include "console.inc"

.set MAGIC, 0x1badb002
.set LOADER_MAGIC, 0x2badb002
.set APIC, 0xfee00000
.set APIC_BASE, 0x1b
.set EFER, 0xc0000080
.set GS_BASE, 0xc0000101
.set STACK, 0x480000
.set PML4, 0x490000
.set PDPT, 0x491000
.set DIRECTORIES, 0x492000          # four
.set TSS, 0x4a0000
.set BREAKPOINT, 3

    .text 0
    .align 4
    .long MAGIC, 0, -MAGIC

.code32
.global _start
_start:
    mov [loader_magic], eax
    mov [information], ebx
    mov esp, STACK
    mov eax, 0x123000
    xor edx, edx
    mov ecx, GS_BASE
    wrmsr
    lgdt [gdt_register]
    rdmsr
    mov bx, 0x10
    mov ds, bx
    mov es, bx
    mov fs, bx
    mov gs, bx
    mov ss, bx
    wrmsr
    mov dword ptr [PML4], PDPT + 7
    mov edi, PDPT
    mov eax, DIRECTORIES + 7
1:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    cmp eax, DIRECTORIES + 0x4000
    jb 1b
    mov edi, DIRECTORIES
    mov eax, 0x1e7
2:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    jnc 2b
    mov eax, cr4
    bts eax, 5
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, EFER
    rdmsr
    bts eax, 8
    wrmsr
    mov eax, cr0
    bts eax, 0
    bts eax, 31
    mov cr0, eax
    .byte 0xea                      # jmp far 8:long
    .long long
    .word 8

.code64
long:
    mov esp, STACK
    mov ecx, APIC_BASE
    rdmsr
    and eax, ~0xc00
    wrmsr
    rdmsr
    or eax, 0x800
    wrmsr
    mov ebx, APIC
    mov dword ptr [rbx + 0xf0], 0x1ff
    lidt [idt_register]
    mov eax, [rbx + 0x20]
    shr eax, 24
    mov [apic_id], eax
    mov eax, TSS
    mov [tss_descriptor + 2], ax
    shr eax, 16
    mov [tss_descriptor + 4], al
    mov [tss_descriptor + 7], ah
    mov ax, 0x18
    ltr ax
    mov al, 0xff
    out 0x21, al
    out 0xa1, al

    cmp dword ptr [loader_magic], LOADER_MAGIC
    expect_zero_flag "the magic of the loader"
    mov ecx, GS_BASE
    rdmsr
    expect_equal eax, 0x123000, "the base of GS"
    cmp dword ptr [apic_id], 0
    expect_zero_flag "the APIC, switched off and on"

    # An IDT at address 0.
    mov edi, BREAKPOINT * 16
    mov rax, offset breakpoint
    mov [rdi], ax
    mov word ptr [rdi + 2], 8
    mov word ptr [rdi + 4], 0x8e00
    shr rax, 16
    mov [rdi + 6], ax
    mov dword ptr [rdi + 8], 0
    mov dword ptr [rdi + 12], 0
    int3
    cmp dword ptr [breakpoints], 1
    expect_zero_flag "a breakpoint by the IDT at 0"

    # INIT, then SIPI, to all but this processor.
    mov ebx, APIC
    mov dword ptr [rbx + 0x300], 0xc4500
    mov dword ptr [rbx + 0x300], 0xc4600
    mov eax, [rbx + 0x300]
    test eax, 0x1000
    expect_zero_flag "INIT and SIPI to nobody"

    # The number of processors: as many are waited for as have come.
    mov ax, 5
    mov dx, 0x510
    out dx, ax
    call read_word
    cmp ax, 1
    expect_zero_flag "one processor"
    mov ax, 3
    mov dx, 0x510
    out dx, ax
    call read_word
    mov ebx, eax
    call read_word
    shl eax, 16
    or eax, ebx
    mov edi, [information]
    mov ecx, [rdi + 8]
    shl ecx, 10
    add ecx, 0x100000
    cmp eax, ecx
    expect_zero_flag "the memory of fw_cfg is that of Multiboot"

    # The command line ends with the word of `run:`.
    mov edi, [information]
    mov esi, [rdi + 16]
1:  cmp byte ptr [rsi], 0
    jz 2f
    inc esi
    jmp 1b
2:  cmp dword ptr [rsi - 4], 0x74696e75
    expect_zero_flag "the command line"

    cmp byte ptr [failures], 0
    mov esi, offset text_all_ok
    jz 3f
    mov esi, offset text_failures
3:  call puts
    movzx eax, byte ptr [failures]
    add eax, EXIT_OK
    out EXIT_PORT, eax
4:  hlt
    jmp 4b

# The next two bytes of an item of fw_cfg, in EAX.
read_word:
    xor eax, eax
    mov dx, 0x511
    in al, dx
    mov cl, al
    in al, dx
    mov ah, al
    mov al, cl
    ret

breakpoint:
    inc dword ptr [breakpoints]
    iretq

    .text 2
    .align 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
tss_descriptor:
    .quad 0x0000890000000067, 0
gdt_register:
    .word 39
    .quad gdt
idt_register:
    .word 0xfff
    .quad 0
loader_magic:   .long 0
information:    .long 0
apic_id:        .long 1
breakpoints:    .long 0
    .text 0

# Real mode: x87 errors as MS-DOS programs know them. With CR0.NE clear the processor asserts FERR#, the board makes IRQ 13 of it, and a
# write to port F0h takes that back and asserts IGNNE# (Intel SDM volume 1, section D.2). KVM on VT-x raises #MF instead.
#
# build: as --32 -o real-fpu-error.o real-fpu-error.s && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o real-fpu-error.bin real-fpu-error.o
# run:   npx vmtape run --flat corpora/guests/real-fpu-error.bin --load-at 0x7c00 --mode real --engine interp
# exit:  33

.intel_syntax noprefix
.code16
.global _start
.include "console.inc"

.set FPU_ERROR, 0xf0
.set MASTER, 0x20
.set SLAVE, 0xa0
.set END_OF_INTERRUPT, 0x20
.set SLAVE_VECTORS, 0x70            # IRQ 13 is interrupt 75h, as a PC's BIOS has it
.set ERROR_SUMMARY, 0x80
.set ZERO_DIVIDE, 0x04
.set CR0_NE, 0x20

_start:
    .byte 0xea                      # jmp 0:begin, so that CS is 0 whatever it was
    .word begin, 0
begin:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x5000
    cld

    # 8259: the vectors of a PC, and of the lines only the slave's and IRQ 13.
    mov al, 0x11
    out MASTER, al
    out SLAVE, al
    mov al, 8
    out MASTER + 1, al
    mov al, SLAVE_VECTORS
    out SLAVE + 1, al
    mov al, 4
    out MASTER + 1, al
    mov al, 2
    out SLAVE + 1, al
    mov al, 1
    out MASTER + 1, al
    out SLAVE + 1, al
    mov al, 0xfb
    out MASTER + 1, al
    mov al, 0xdf
    out SLAVE + 1, al

    mov word ptr [4 * 0x75], offset error_interrupt
    mov word ptr [4 * 0x75 + 2], 0
    mov word ptr [4 * 0x10], offset math_fault
    mov word ptr [4 * 0x10 + 2], 0

    # CR0: NE, EM, TS and MP clear.
    mov eax, cr0
    and eax, 0xffffffd1
    mov cr0, eax
    sti

    print "An error waits for the next instruction that waits\n"
    call make_error
    fnstsw ax                       # does not wait
    mov word ptr [status], ax
    test al, ERROR_SUMMARY
    setz byte ptr [flag]
    expect_equal "byte ptr [flag]", 0, "the summary bit is set"
    expect_equal "word ptr [errors]", 0, "no interrupt yet"
    mov word ptr [handler], offset ignore_first
waiting:
    fld1                            # interrupt 75h comes before it
    expect_equal "word ptr [errors]", 1, "one interrupt"
    expect_equal "word ptr [return_at]", "offset waiting", "it returns to the instruction"
    expect_equal "word ptr [faults]", 0, "no #MF"
    fnstsw ax
    mov word ptr [status], ax
    expect_equal "word ptr [status]", 0x3800, "the exception was cleared, and FLD1 was executed once"
    fstp st

    print "The next error is reported again\n"
    call make_error
    fwait
    expect_equal "word ptr [errors]", 2, "two interrupts"

    print "Cleared first, port F0h written afterwards: IGNNE# does not stay\n"
    mov word ptr [handler], offset clear_first
    call make_error
    fwait
    expect_equal "word ptr [errors]", 3, "three interrupts"
    call make_error
    fwait
    expect_equal "word ptr [errors]", 4, "four interrupts"

    print "Written without an error, port F0h does nothing\n"
    out FPU_ERROR, al
    call make_error
    out FPU_ERROR, al               # FERR# is not asserted yet
    fwait
    expect_equal "word ptr [errors]", 5, "five interrupts"

    print "With CR0.NE set it is an exception\n"
    mov eax, cr0
    or eax, CR0_NE
    mov cr0, eax
    call make_error
    fwait
    expect_equal "word ptr [faults]", 1, "one #MF"
    expect_equal "word ptr [errors]", 5, "and no interrupt"
    finish

# Leaves an unmasked division by zero behind it, and an empty stack.
make_error:
    fninit
    fldcw word ptr [control]
    fld1
    fldz
    fdivp
    ret

error_interrupt:
    push bp
    mov bp, sp
    push ax
    mov ax, word ptr [bp + 2]
    mov word ptr [return_at], ax
    inc word ptr [errors]
    jmp word ptr [handler]

# IGNNE# first: instructions that wait are executed in spite of the error.
ignore_first:
    out FPU_ERROR, al
    fld1
    fwait
    fstp st
    fninit
    jmp end_of_interrupt

# FERR# falls first.
clear_first:
    fninit
    out FPU_ERROR, al

end_of_interrupt:
    mov al, END_OF_INTERRUPT
    out SLAVE, al
    out MASTER, al
    pop ax
    pop bp
    iret

math_fault:
    inc word ptr [faults]
    fnclex
    iret

    .text 2
    .balign 2
control:   .word 0x37f & ~ZERO_DIVIDE
status:    .word 0
errors:    .word 0
faults:    .word 0
return_at: .word 0
handler:   .word 0
flag:      .byte 0
    .text 0

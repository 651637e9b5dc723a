# Reads every clock of the machine and prints what it computed from them: the date of the RTC, and the rate of the TSC measured
# against the PIT. The answers differ from run to run on KVM, and a replay must give the very same.
#
# build: as --32 -o clocks.o clocks.s && ld -m elf_i386 -Ttext 0x100000 --oformat binary -o clocks.bin clocks.o
# run:   npx vmtape run --flat corpora/guests/clocks.bin --load-at 0x100000 --mode prot32
# exit:  33

.intel_syntax noprefix
.code32
.global _start
.include "console.inc"

.set CMOS_INDEX, 0x70
.set CMOS_DATA, 0x71
.set PIT_CHANNEL_2, 0x42
.set PIT_COMMAND, 0x43
.set PORT_61, 0x61
.set PIT_HZ, 1193182
.set WAIT_PIT_TICKS, 2000           # 1.7 ms

# The CMOS register into AL.
.macro cmos register:req
    mov al, \register
    out CMOS_INDEX, al
    in al, CMOS_DATA
.endm

# A BCD register of the RTC, as two digits.
.macro print_bcd register:req
    cmos \register
    call put_bcd
.endm

_start:
    cld
    mov esp, 0x90000

    # The RTC: not while it is being updated (register A, bit 7).
update_in_progress:
    cmos 0x0a
    test al, 0x80
    jnz update_in_progress
    print "RTC: "
    print_bcd 0x32                  # century
    print_bcd 9
    print "-"
    print_bcd 8
    print "-"
    print_bcd 7
    print " "
    print_bcd 4
    print ":"
    print_bcd 2
    print ":"
    print_bcd 0
    print "\n"
    cmos 0x0d
    test al, 0x80                   # valid RAM and time
    setz al
    cmp al, 0
    expect_zero_flag "the RTC's time is valid"

    # PIT channel 2, gate open, speaker off, mode 2 from 0: counts down from 65536.
    in al, PORT_61
    and al, 0xfc
    or al, 1
    out PORT_61, al
    mov al, 0xb4
    out PIT_COMMAND, al
    xor al, al
    out PIT_CHANNEL_2, al
    out PIT_CHANNEL_2, al
    call read_pit
    mov dword ptr [pit_start], eax
    rdtsc
    mov dword ptr [tsc_start], eax
    mov dword ptr [tsc_start + 4], edx
wait:
    mov ecx, 500
1:  dec ecx
    jnz 1b
    call read_pit
    mov ecx, dword ptr [pit_start]
    sub ecx, eax
    and ecx, 0xffff
    cmp ecx, WAIT_PIT_TICKS
    jb wait
    mov dword ptr [pit_ticks], ecx
    rdtsc
    sub eax, dword ptr [tsc_start]
    sbb edx, dword ptr [tsc_start + 4]
    mov dword ptr [tsc_ticks], eax
    cmp edx, 0
    expect_zero_flag "the TSC moved by less than 2^32"

    print "PIT ticks: "
    mov eax, dword ptr [pit_ticks]
    call put_decimal
    print "\nTSC ticks: "
    mov eax, dword ptr [tsc_ticks]
    call put_decimal
    print "\nTSC kHz: "
    mov eax, dword ptr [tsc_ticks]
    mov ebx, PIT_HZ
    mul ebx
    mov ebx, 1000
    mov ecx, eax
    mov eax, edx                    # a 64-bit division by 1000 in two steps
    xor edx, edx
    div ebx
    mov esi, eax
    mov eax, ecx
    div ebx
    mov edx, esi
    div dword ptr [pit_ticks]
    call put_decimal
    print "\n"

    # The TSC never goes back.
    mov ecx, 1000
    rdtsc
2:  mov esi, eax
    mov edi, edx
    rdtsc
    mov ebx, eax
    mov ebp, edx
    sub ebx, esi
    sbb ebp, edi
    js went_back
    dec ecx
    jnz 2b
went_back:
    cmp ecx, 0
    expect_zero_flag "the TSC never goes back"
    finish

# Latches and reads channel 2 into EAX.
read_pit:
    mov al, 0x80
    out PIT_COMMAND, al
    in al, PIT_CHANNEL_2
    mov ah, al
    in al, PIT_CHANNEL_2
    xchg al, ah
    movzx eax, ax
    ret

# The two BCD digits of AL.
put_bcd:
    mov ah, al
    shr al, 4
    and ah, 15
    add ax, 0x3030
    mov word ptr [bcd], ax
    mov esi, offset bcd
    jmp puts

    .text 2
    .balign 8
tsc_start: .quad 0
tsc_ticks: .long 0
pit_start: .long 0
pit_ticks: .long 0
bcd:       .byte 0, 0, 0

#!/bin/sh
# Assembles the guests of this directory into NAME.hex (GNU as, ld, objcopy). All are linked at 0x10000 but real.s, at 0x7c00.
cd "$(dirname "$0")" || exit 1
work=$(mktemp -d)
for source in *.s; do
  name=${source%.s}
  base=0x10000
  [ "$name" = real ] && base=0x7c00
  as --64 -I . -o "$work/$name.o" "$source" || exit 1
  ld -Ttext=$base -e $base --oformat elf64-x86-64 -o "$work/$name.elf" "$work/$name.o" || exit 1
  objcopy -O binary -j .text "$work/$name.elf" "$work/$name.bin" || exit 1
  od -An -v -tx1 -w32 "$work/$name.bin" | tr -d ' ' > "$name.hex"
done
rm -r "$work"

/* The table of structure ioctls. In C, because C++ gives the kernel's structures with flexible arrays other sizes, and the
 * size is part of an ioctl's number. */
#ifndef VMTAPE_IOCTLS_H
#define VMTAPE_IOCTLS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vmtape_handle { VMTAPE_SYSTEM, VMTAPE_VCPU };

/* One ioctl whose argument is a structure: a header of `fixed` bytes, then as many entries of `entry` bytes as the u32 at
 * the header's start says (entry 0: a structure of fixed size). */
struct vmtape_ioctl {
  enum vmtape_handle handle;
  const char* name;
  unsigned long request;
  size_t fixed;
  size_t entry;
};

/* Ends with a row whose name is null. */
extern const struct vmtape_ioctl vmtape_ioctls[];

#ifdef __cplusplus
}
#endif

#endif

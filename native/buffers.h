// ioctls that fill or read one structure, which TypeScript lays out in a Uint8Array.
#ifndef VMTAPE_BUFFERS_H
#define VMTAPE_BUFFERS_H

#include <cstddef>

#include <napi.h>

#include "descriptor.h"
#include "ioctls.h"

namespace vmtape {

// Runs the structure ioctl `name` ("KVM_GET_REGS") on the handle with the bytes as its argument: the ioctl's result, or
// -errno. -ENOSYS: no such ioctl in the table of this handle. -EINVAL: the buffer is too small for what it declares.
int Transfer(const Descriptor& descriptor, vmtape_handle handle, const char* name, uint8_t* bytes, size_t length);

// The bytes of a Uint8Array argument.
struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

// False where the value is not a Uint8Array.
bool GetBytes(const Napi::Value& value, Bytes* bytes);

// Bodies of the JavaScript methods transfer(name, bytes) and of those that return a plain result.
Napi::Value TransferMethod(const Napi::CallbackInfo& info, const Descriptor* descriptor, vmtape_handle handle);

// A whole number argument; 0 where it is not a number.
uint64_t GetNumber(const Napi::CallbackInfo& info, size_t index);

}  // namespace vmtape

#endif

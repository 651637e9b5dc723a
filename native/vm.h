// A virtual machine: memory slots, and what holds for all its vCPUs.
#ifndef VMTAPE_VM_H
#define VMTAPE_VM_H

#include <map>
#include <memory>

#include <napi.h>

#include "descriptor.h"

namespace vmtape {

// What a VM owns. Shared by its JavaScript object and its vCPUs: the last one closed closes it, in whatever order.
struct VmCore {
  VmCore(int fd, size_t runPageSize) : descriptor(fd), runPageSize(runPageSize) {}

  // Before `descriptor`, so that the memory is let go after the file descriptor.
  std::map<uint32_t, Napi::ObjectReference> slots;
  Descriptor descriptor;
  const size_t runPageSize;
};

class Vm : public Napi::ObjectWrap<Vm> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Value Make(Napi::Env env, std::shared_ptr<VmCore> core);

  explicit Vm(const Napi::CallbackInfo& info);

 private:
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value CheckExtension(const Napi::CallbackInfo& info);
  Napi::Value EnableCapability(const Napi::CallbackInfo& info);
  Napi::Value SetMemory(const Napi::CallbackInfo& info);
  Napi::Value DeleteMemory(const Napi::CallbackInfo& info);
  Napi::Value SetTssAddress(const Napi::CallbackInfo& info);
  Napi::Value SetIdentityMapAddress(const Napi::CallbackInfo& info);
  Napi::Value SetMsrFilter(const Napi::CallbackInfo& info);
  Napi::Value GetDirtyLog(const Napi::CallbackInfo& info);
  Napi::Value ClearDirtyLog(const Napi::CallbackInfo& info);
  Napi::Value CreateVcpu(const Napi::CallbackInfo& info);

  std::shared_ptr<VmCore> core_;
};

}  // namespace vmtape

#endif

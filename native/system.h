// The handle on /dev/kvm itself.
#ifndef VMTAPE_SYSTEM_H
#define VMTAPE_SYSTEM_H

#include <memory>

#include <napi.h>

#include "descriptor.h"

namespace vmtape {

class System : public Napi::ObjectWrap<System> {
 public:
  static Napi::Function Define(Napi::Env env);
  // openSystem(path): a System, or -errno.
  static Napi::Value Open(const Napi::CallbackInfo& info);

  explicit System(const Napi::CallbackInfo& info);

 private:
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value ApiVersion(const Napi::CallbackInfo& info);
  Napi::Value CheckExtension(const Napi::CallbackInfo& info);
  Napi::Value TransferBytes(const Napi::CallbackInfo& info);
  Napi::Value CreateVm(const Napi::CallbackInfo& info);

  std::shared_ptr<Descriptor> descriptor_;
};

}  // namespace vmtape

#endif

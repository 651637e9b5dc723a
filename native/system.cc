#include "system.h"

#include <fcntl.h>
#include <linux/kvm.h>

#include "buffers.h"
#include "classes.h"
#include "vm.h"

namespace vmtape {

Napi::Function System::Define(Napi::Env env) {
  return DefineClass(env, "System",
                     {
                         InstanceMethod<&System::Close>("close"),
                         InstanceMethod<&System::ApiVersion>("apiVersion"),
                         InstanceMethod<&System::CheckExtension>("checkExtension"),
                         InstanceMethod<&System::TransferBytes>("transfer"),
                         InstanceMethod<&System::CreateVm>("createVm"),
                     });
}

Napi::Value System::Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsString()) return Napi::Number::New(env, -EINVAL);
  std::string path = info[0].As<Napi::String>().Utf8Value();
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return Napi::Number::New(env, -errno);
  auto descriptor = std::make_shared<Descriptor>(fd);
  int version = descriptor->control(KVM_GET_API_VERSION, 0UL);
  if (version < 0) return Napi::Number::New(env, version);
  Napi::Object object = env.GetInstanceData<Classes>()->system.New({});
  if (object.IsEmpty()) return env.Undefined();
  Unwrap(object)->descriptor_ = descriptor;
  return object;
}

System::System(const Napi::CallbackInfo& info) : Napi::ObjectWrap<System>(info) {}

Napi::Value System::Close(const Napi::CallbackInfo& info) {
  descriptor_.reset();
  return info.Env().Undefined();
}

Napi::Value System::ApiVersion(const Napi::CallbackInfo& info) {
  int result = descriptor_ ? descriptor_->control(KVM_GET_API_VERSION, 0UL) : -EBADF;
  return Napi::Number::New(info.Env(), result);
}

Napi::Value System::CheckExtension(const Napi::CallbackInfo& info) {
  int result = descriptor_ ? descriptor_->control(KVM_CHECK_EXTENSION, GetNumber(info, 0)) : -EBADF;
  return Napi::Number::New(info.Env(), result);
}

Napi::Value System::TransferBytes(const Napi::CallbackInfo& info) {
  return TransferMethod(info, descriptor_.get(), VMTAPE_SYSTEM);
}

Napi::Value System::CreateVm(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!descriptor_) return Napi::Number::New(env, -EBADF);
  int pageSize = descriptor_->control(KVM_GET_VCPU_MMAP_SIZE, 0UL);
  if (pageSize < 0) return Napi::Number::New(env, pageSize);
  int fd = descriptor_->control(KVM_CREATE_VM, 0UL);
  if (fd < 0) return Napi::Number::New(env, fd);
  return Vm::Make(env, std::make_shared<VmCore>(fd, static_cast<size_t>(pageSize)));
}

}  // namespace vmtape

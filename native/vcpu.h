// A virtual processor: KVM_RUN, its page, and its registers.
#ifndef VMTAPE_VCPU_H
#define VMTAPE_VCPU_H

#include <memory>

#include <napi.h>

#include "descriptor.h"
#include "kick.h"
#include "vm.h"

namespace vmtape {

// What a vCPU owns: the descriptor, the kvm_run page and its place in the table of kicks; and it holds its VM.
class VcpuCore {
 public:
  VcpuCore(int fd, std::shared_ptr<VmCore> vm) : vm(std::move(vm)), descriptor(std::make_unique<Descriptor>(fd)) {}
  ~VcpuCore() { Release(); }

  // 0 or -errno.
  int Map();
  // Gives everything back: a collected ArrayBuffer may hold this object long after the vCPU was closed.
  void Release();

  std::shared_ptr<VmCore> vm;
  std::unique_ptr<Descriptor> descriptor;
  KickSlot kick;
  kvm_run* page = nullptr;

  void SetImmediateExit(uint8_t value) { __atomic_store_n(&page->immediate_exit, value, __ATOMIC_SEQ_CST); }
};

class Vcpu : public Napi::ObjectWrap<Vcpu> {
 public:
  static Napi::Function Define(Napi::Env env);
  // A Vcpu, or -errno. Takes the descriptor.
  static Napi::Value Make(Napi::Env env, int fd, std::shared_ptr<VmCore> vm);

  explicit Vcpu(const Napi::CallbackInfo& info);

 private:
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value Complete(const Napi::CallbackInfo& info);
  Napi::Value RunPage(const Napi::CallbackInfo& info);
  Napi::Value TransferBytes(const Napi::CallbackInfo& info);
  Napi::Value EnableCapability(const Napi::CallbackInfo& info);
  Napi::Value Interrupt(const Napi::CallbackInfo& info);
  Napi::Value Nmi(const Napi::CallbackInfo& info);
  Napi::Value ArmTimer(const Napi::CallbackInfo& info);
  Napi::Value KickToken(const Napi::CallbackInfo& info);

  std::shared_ptr<VcpuCore> core_;
  Napi::Reference<Napi::ArrayBuffer> pageBuffer_;
};

}  // namespace vmtape

#endif

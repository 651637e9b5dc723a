#include "vcpu.h"

#include <cstring>

#include <linux/kvm.h>
#include <sys/mman.h>

#include "buffers.h"
#include "classes.h"

namespace vmtape {
namespace {

Napi::Value Result(const Napi::CallbackInfo& info, int result) { return Napi::Number::New(info.Env(), result); }

}  // namespace

int VcpuCore::Map() {
  void* address = mmap(nullptr, vm->runPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor->fd(), 0);
  if (address == MAP_FAILED) return -errno;
  page = static_cast<kvm_run*>(address);
  return kick.Open(page);
}

void VcpuCore::Release() {
  kick.Close();
  if (page != nullptr) munmap(page, vm->runPageSize);
  page = nullptr;
  descriptor.reset();
  vm.reset();
}

Napi::Function Vcpu::Define(Napi::Env env) {
  return DefineClass(env, "Vcpu",
                     {
                         InstanceMethod<&Vcpu::Close>("close"),
                         InstanceMethod<&Vcpu::Run>("run"),
                         InstanceMethod<&Vcpu::Complete>("complete"),
                         InstanceMethod<&Vcpu::RunPage>("runPage"),
                         InstanceMethod<&Vcpu::TransferBytes>("transfer"),
                         InstanceMethod<&Vcpu::EnableCapability>("enableCapability"),
                         InstanceMethod<&Vcpu::Interrupt>("interrupt"),
                         InstanceMethod<&Vcpu::Nmi>("nmi"),
                         InstanceMethod<&Vcpu::ArmTimer>("armTimer"),
                         InstanceMethod<&Vcpu::KickToken>("kickToken"),
                     });
}

Napi::Value Vcpu::Make(Napi::Env env, int fd, std::shared_ptr<VmCore> vm) {
  auto core = std::make_shared<VcpuCore>(fd, std::move(vm));
  int result = core->Map();
  if (result < 0) return Napi::Number::New(env, result);
  Napi::Object object = env.GetInstanceData<Classes>()->vcpu.New({});
  if (object.IsEmpty()) return env.Undefined();
  Unwrap(object)->core_ = std::move(core);
  return object;
}

Vcpu::Vcpu(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Vcpu>(info) {}

// Detaches the page's ArrayBuffer, so that views of it are empty and cannot reach what is no longer mapped. Where that
// cannot be done, the buffer's own reference keeps the page until it is collected.
Napi::Value Vcpu::Close(const Napi::CallbackInfo& info) {
  if (!core_) return info.Env().Undefined();
  bool reachable = false;
  if (!pageBuffer_.IsEmpty()) {
    Napi::ArrayBuffer buffer = pageBuffer_.Value();
    if (!buffer.IsEmpty()) {
      buffer.Detach();
      reachable = !buffer.IsDetached();
    }
    pageBuffer_.Reset();
  }
  if (!reachable) core_->Release();
  core_.reset();
  return info.Env().Undefined();
}

// run(): the exit reason of KVM_RUN, or -errno; -EINTR and -EAGAIN are usual. A kick that ended it is taken.
Napi::Value Vcpu::Run(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  core_->kick.EnterThread();
  int result = core_->descriptor->controlOnce(KVM_RUN, 0UL);
  if (result == -EINTR) {
    core_->SetImmediateExit(0);
    core_->kick.TakeKick();
  }
  return Result(info, result < 0 ? result : static_cast<int>(core_->page->exit_reason));
}

// complete(): KVM_RUN with immediate_exit: finishes the instruction of the last exit and executes nothing else. -EINTR: it
// is finished; otherwise as run(). A kick that came stays for the next run().
Napi::Value Vcpu::Complete(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  core_->kick.EnterThread();
  core_->SetImmediateExit(1);
  int result = core_->descriptor->controlOnce(KVM_RUN, 0UL);
  core_->SetImmediateExit(0);
  if (core_->kick.HasKick()) core_->SetImmediateExit(1);
  return Result(info, result < 0 ? result : static_cast<int>(core_->page->exit_reason));
}

// runPage(): the kvm_run page (and the port data page behind it) as an ArrayBuffer. The same one at each call.
Napi::Value Vcpu::RunPage(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  if (pageBuffer_.IsEmpty()) {
    auto* holder = new std::shared_ptr<VcpuCore>(core_);
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
        info.Env(), core_->page, core_->vm->runPageSize,
        [](Napi::Env, void*, std::shared_ptr<VcpuCore>* held) { delete held; }, holder);
    if (buffer.IsEmpty()) {
      delete holder;
      return info.Env().Undefined();
    }
    pageBuffer_ = Napi::Reference<Napi::ArrayBuffer>::New(buffer, 1);
  }
  return pageBuffer_.Value();
}

Napi::Value Vcpu::TransferBytes(const Napi::CallbackInfo& info) {
  return TransferMethod(info, core_ ? core_->descriptor.get() : nullptr, VMTAPE_VCPU);
}

// enableCapability(capability, argument0)
Napi::Value Vcpu::EnableCapability(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  kvm_enable_cap capability;
  memset(&capability, 0, sizeof capability);
  capability.cap = static_cast<uint32_t>(GetNumber(info, 0));
  capability.args[0] = GetNumber(info, 1);
  return Result(info, core_->descriptor->control(KVM_ENABLE_CAP, &capability));
}

Napi::Value Vcpu::Interrupt(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  kvm_interrupt interrupt;
  interrupt.irq = static_cast<uint32_t>(GetNumber(info, 0));
  return Result(info, core_->descriptor->control(KVM_INTERRUPT, &interrupt));
}

Napi::Value Vcpu::Nmi(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  return Result(info, core_->descriptor->control(KVM_NMI, 0UL));
}

Napi::Value Vcpu::ArmTimer(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  return Result(info, core_->kick.ArmTimer(GetNumber(info, 0)));
}

Napi::Value Vcpu::KickToken(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), core_ ? core_->kick.token() : 0);
}

}  // namespace vmtape

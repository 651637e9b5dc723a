// The /dev/kvm addon: ioctls, mmap and the kick of the vCPU thread; no policy. Every method returns a whole number, negative
// for -errno: the typed wrapper (src/vmm/cpu/addon.ts) checks the arguments and turns errors into exceptions that name the
// ioctl. Documentation/virt/kvm/api.rst of the Linux kernel is the reference.
#include <napi.h>

#include "classes.h"
#include "kick.h"
#include "system.h"
#include "vcpu.h"
#include "vm.h"

namespace vmtape {
namespace {

// kick(token), from any thread.
Napi::Value KickByToken(const Napi::CallbackInfo& info) {
  double token = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  return Napi::Number::New(info.Env(), Kick(token));
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  auto* classes = new Classes();
  classes->system = Napi::Persistent(System::Define(env));
  classes->vm = Napi::Persistent(Vm::Define(env));
  classes->vcpu = Napi::Persistent(Vcpu::Define(env));
  // Deleted with the environment.
  env.SetInstanceData(classes);
  exports.Set("openSystem", Napi::Function::New<&System::Open>(env, "openSystem"));
  exports.Set("kick", Napi::Function::New<&KickByToken>(env, "kick"));
  return exports;
}

}  // namespace
}  // namespace vmtape

static Napi::Object InitializeAddon(Napi::Env env, Napi::Object exports) { return vmtape::Initialize(env, exports); }

NODE_API_MODULE(vmtape_kvm, InitializeAddon)

#include "buffers.h"

#include <cstring>
#include <string>

#include <linux/kvm.h>

namespace vmtape {
namespace {

// One ioctl whose argument is a structure: a header of `fixed` bytes, then as many entries of `entry` bytes as the u32 at
// the header's start says (0: a structure of fixed size).
struct StructureIoctl {
  Handle handle;
  const char* name;
  unsigned long request;
  size_t fixed;
  size_t entry;
};

#define STRUCTURE(handle, request, type) {Handle::handle, #request, request, sizeof(type), 0}
#define LIST(handle, request, type, entryType) {Handle::handle, #request, request, sizeof(type), sizeof(entryType)}

const StructureIoctl kIoctls[] = {
    LIST(kSystem, KVM_GET_SUPPORTED_CPUID, kvm_cpuid2, kvm_cpuid_entry2),
    LIST(kSystem, KVM_GET_EMULATED_CPUID, kvm_cpuid2, kvm_cpuid_entry2),
    LIST(kSystem, KVM_GET_MSR_INDEX_LIST, kvm_msr_list, uint32_t),
    LIST(kSystem, KVM_GET_MSR_FEATURE_INDEX_LIST, kvm_msr_list, uint32_t),
    LIST(kSystem, KVM_GET_MSRS, kvm_msrs, kvm_msr_entry),
    STRUCTURE(kVcpu, KVM_GET_REGS, kvm_regs),
    STRUCTURE(kVcpu, KVM_SET_REGS, kvm_regs),
    STRUCTURE(kVcpu, KVM_GET_SREGS, kvm_sregs),
    STRUCTURE(kVcpu, KVM_SET_SREGS, kvm_sregs),
#ifdef KVM_GET_SREGS2
    STRUCTURE(kVcpu, KVM_GET_SREGS2, kvm_sregs2),
    STRUCTURE(kVcpu, KVM_SET_SREGS2, kvm_sregs2),
#endif
    STRUCTURE(kVcpu, KVM_GET_FPU, kvm_fpu),
    STRUCTURE(kVcpu, KVM_SET_FPU, kvm_fpu),
    // kvm_xsave ends in a flexible array where XSAVE2 exists: TypeScript sizes the buffer by KVM_CAP_XSAVE2.
    {Handle::kVcpu, "KVM_GET_XSAVE", KVM_GET_XSAVE, 4096, 0},
    {Handle::kVcpu, "KVM_SET_XSAVE", KVM_SET_XSAVE, 4096, 0},
#ifdef KVM_GET_XSAVE2
    {Handle::kVcpu, "KVM_GET_XSAVE2", KVM_GET_XSAVE2, 4096, 0},
#endif
    STRUCTURE(kVcpu, KVM_GET_XCRS, kvm_xcrs),
    STRUCTURE(kVcpu, KVM_SET_XCRS, kvm_xcrs),
    STRUCTURE(kVcpu, KVM_GET_VCPU_EVENTS, kvm_vcpu_events),
    STRUCTURE(kVcpu, KVM_SET_VCPU_EVENTS, kvm_vcpu_events),
    STRUCTURE(kVcpu, KVM_GET_DEBUGREGS, kvm_debugregs),
    STRUCTURE(kVcpu, KVM_SET_DEBUGREGS, kvm_debugregs),
    STRUCTURE(kVcpu, KVM_GET_MP_STATE, kvm_mp_state),
    STRUCTURE(kVcpu, KVM_SET_MP_STATE, kvm_mp_state),
    STRUCTURE(kVcpu, KVM_SET_GUEST_DEBUG, kvm_guest_debug),
    STRUCTURE(kVcpu, KVM_TRANSLATE, kvm_translation),
    LIST(kVcpu, KVM_GET_CPUID2, kvm_cpuid2, kvm_cpuid_entry2),
    LIST(kVcpu, KVM_SET_CPUID2, kvm_cpuid2, kvm_cpuid_entry2),
    LIST(kVcpu, KVM_GET_MSRS, kvm_msrs, kvm_msr_entry),
    LIST(kVcpu, KVM_SET_MSRS, kvm_msrs, kvm_msr_entry),
};

#undef STRUCTURE
#undef LIST

}  // namespace

int Transfer(const Descriptor& descriptor, Handle handle, const char* name, uint8_t* bytes, size_t length) {
  for (const StructureIoctl& ioctl : kIoctls) {
    if (ioctl.handle != handle || strcmp(ioctl.name, name) != 0) continue;
    if (length < ioctl.fixed) return -EINVAL;
    if (ioctl.entry != 0) {
      uint32_t count;
      memcpy(&count, bytes, sizeof count);
      if ((length - ioctl.fixed) / ioctl.entry < count) return -EINVAL;
    }
    return descriptor.control(ioctl.request, bytes);
  }
  return -ENOSYS;
}

bool GetBytes(const Napi::Value& value, Bytes* bytes) {
  if (!value.IsTypedArray()) return false;
  Napi::TypedArray array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) return false;
  Napi::Uint8Array view = array.As<Napi::Uint8Array>();
  bytes->data = view.Data();
  bytes->length = view.ByteLength();
  return true;
}

Napi::Value TransferMethod(const Napi::CallbackInfo& info, const Descriptor* descriptor, Handle handle) {
  if (descriptor == nullptr) return Napi::Number::New(info.Env(), -EBADF);
  Bytes bytes;
  if (info.Length() < 2 || !info[0].IsString() || !GetBytes(info[1], &bytes)) {
    return Napi::Number::New(info.Env(), -EINVAL);
  }
  std::string name = info[0].As<Napi::String>().Utf8Value();
  return Napi::Number::New(info.Env(), Transfer(*descriptor, handle, name.c_str(), bytes.data, bytes.length));
}

uint64_t GetNumber(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsNumber()) return 0;
  double value = info[index].As<Napi::Number>().DoubleValue();
  return value >= 0 && value < 18446744073709551616.0 ? static_cast<uint64_t>(value) : 0;
}

}  // namespace vmtape

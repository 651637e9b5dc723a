#include "vm.h"

#include <cstring>
#include <vector>

#include <linux/kvm.h>

#include "buffers.h"
#include "classes.h"
#include "vcpu.h"

namespace vmtape {
namespace {

Napi::Value Result(const Napi::CallbackInfo& info, int result) { return Napi::Number::New(info.Env(), result); }

constexpr size_t kPageSize = 4096;

}  // namespace

Napi::Function Vm::Define(Napi::Env env) {
  return DefineClass(env, "Vm",
                     {
                         InstanceMethod<&Vm::Close>("close"),
                         InstanceMethod<&Vm::CheckExtension>("checkExtension"),
                         InstanceMethod<&Vm::EnableCapability>("enableCapability"),
                         InstanceMethod<&Vm::SetMemory>("setMemory"),
                         InstanceMethod<&Vm::DeleteMemory>("deleteMemory"),
                         InstanceMethod<&Vm::SetTssAddress>("setTssAddress"),
                         InstanceMethod<&Vm::SetIdentityMapAddress>("setIdentityMapAddress"),
                         InstanceMethod<&Vm::SetMsrFilter>("setMsrFilter"),
                         InstanceMethod<&Vm::GetDirtyLog>("getDirtyLog"),
                         InstanceMethod<&Vm::ClearDirtyLog>("clearDirtyLog"),
                         InstanceMethod<&Vm::CreateVcpu>("createVcpu"),
                     });
}

Napi::Value Vm::Make(Napi::Env env, std::shared_ptr<VmCore> core) {
  Napi::Object object = env.GetInstanceData<Classes>()->vm.New({});
  if (object.IsEmpty()) return env.Undefined();
  Unwrap(object)->core_ = std::move(core);
  return object;
}

Vm::Vm(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Vm>(info) {}

Napi::Value Vm::Close(const Napi::CallbackInfo& info) {
  core_.reset();
  return info.Env().Undefined();
}

Napi::Value Vm::CheckExtension(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  return Result(info, core_->descriptor.control(KVM_CHECK_EXTENSION, GetNumber(info, 0)));
}

// enableCapability(capability, argument0)
Napi::Value Vm::EnableCapability(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  kvm_enable_cap capability;
  memset(&capability, 0, sizeof capability);
  capability.cap = static_cast<uint32_t>(GetNumber(info, 0));
  capability.args[0] = GetNumber(info, 1);
  return Result(info, core_->descriptor.control(KVM_ENABLE_CAP, &capability));
}

// setMemory(slot, flags, guestPhysicalAddress, bytes): `bytes` stays referenced until the slot is deleted or replaced, or
// the VM and all its vCPUs are closed.
Napi::Value Vm::SetMemory(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  Bytes bytes;
  if (info.Length() < 4 || !GetBytes(info[3], &bytes) || bytes.length == 0) return Result(info, -EINVAL);
  kvm_userspace_memory_region region;
  memset(&region, 0, sizeof region);
  region.slot = static_cast<uint32_t>(GetNumber(info, 0));
  region.flags = static_cast<uint32_t>(GetNumber(info, 1));
  region.guest_phys_addr = GetNumber(info, 2);
  region.memory_size = bytes.length;
  region.userspace_addr = reinterpret_cast<uint64_t>(bytes.data);
  int result = core_->descriptor.control(KVM_SET_USER_MEMORY_REGION, &region);
  if (result == 0) core_->slots[region.slot] = Napi::Persistent(info[3].As<Napi::Object>());
  return Result(info, result);
}

// deleteMemory(slot)
Napi::Value Vm::DeleteMemory(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  kvm_userspace_memory_region region;
  memset(&region, 0, sizeof region);
  region.slot = static_cast<uint32_t>(GetNumber(info, 0));
  auto slot = core_->slots.find(region.slot);
  if (slot == core_->slots.end()) return Result(info, -ENOENT);
  int result = core_->descriptor.control(KVM_SET_USER_MEMORY_REGION, &region);
  if (result == 0) core_->slots.erase(slot);
  return Result(info, result);
}

Napi::Value Vm::SetTssAddress(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  return Result(info, core_->descriptor.control(KVM_SET_TSS_ADDR, GetNumber(info, 0)));
}

Napi::Value Vm::SetIdentityMapAddress(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  uint64_t address = GetNumber(info, 0);
  return Result(info, core_->descriptor.control(KVM_SET_IDENTITY_MAP_ADDR, &address));
}

// setMsrFilter(flags, ranges, bitmaps): for each range 12 bytes (u32 flags, u32 first MSR, u32 number of MSRs), and in
// `bitmaps`, one after the other, a bit per MSR of the range, rounded up to whole bytes.
Napi::Value Vm::SetMsrFilter(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
#ifdef KVM_X86_SET_MSR_FILTER
  Bytes ranges;
  Bytes bitmaps;
  if (info.Length() < 3 || !GetBytes(info[1], &ranges) || !GetBytes(info[2], &bitmaps)) return Result(info, -EINVAL);
  size_t count = ranges.length / 12;
  if (count > KVM_MSR_FILTER_MAX_RANGES) return Result(info, -E2BIG);
  kvm_msr_filter filter;
  memset(&filter, 0, sizeof filter);
  filter.flags = static_cast<uint32_t>(GetNumber(info, 0));
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t range[3];
    memcpy(range, ranges.data + i * 12, sizeof range);
    size_t size = (static_cast<size_t>(range[2]) + 7) / 8;
    if (bitmaps.length - used < size) return Result(info, -EINVAL);
    filter.ranges[i].flags = range[0];
    filter.ranges[i].base = range[1];
    filter.ranges[i].nmsrs = range[2];
    filter.ranges[i].bitmap = bitmaps.data + used;
    used += size;
  }
  return Result(info, core_->descriptor.control(KVM_X86_SET_MSR_FILTER, &filter));
#else
  return Result(info, -ENOSYS);
#endif
}

// getDirtyLog(slot, bitmap): one bit per page of the slot, in whole u64.
Napi::Value Vm::GetDirtyLog(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  Bytes bitmap;
  uint32_t number = static_cast<uint32_t>(GetNumber(info, 0));
  auto slot = core_->slots.find(number);
  if (slot == core_->slots.end()) return Result(info, -ENOENT);
  if (info.Length() < 2 || !GetBytes(info[1], &bitmap)) return Result(info, -EINVAL);
  size_t pages = slot->second.Value().As<Napi::Uint8Array>().ByteLength() / kPageSize;
  if (bitmap.length < (pages + 63) / 64 * 8) return Result(info, -EINVAL);
  kvm_dirty_log log;
  memset(&log, 0, sizeof log);
  log.slot = number;
  log.dirty_bitmap = bitmap.data;
  return Result(info, core_->descriptor.control(KVM_GET_DIRTY_LOG, &log));
}

// clearDirtyLog(slot, firstPage, pages, bitmap); needs KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2.
Napi::Value Vm::ClearDirtyLog(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  Bytes bitmap;
  if (info.Length() < 4 || !GetBytes(info[3], &bitmap)) return Result(info, -EINVAL);
  kvm_clear_dirty_log log;
  memset(&log, 0, sizeof log);
  log.slot = static_cast<uint32_t>(GetNumber(info, 0));
  log.first_page = GetNumber(info, 1);
  log.num_pages = static_cast<uint32_t>(GetNumber(info, 2));
  log.dirty_bitmap = bitmap.data;
  if (bitmap.length < (static_cast<size_t>(log.num_pages) + 63) / 64 * 8) return Result(info, -EINVAL);
  return Result(info, core_->descriptor.control(KVM_CLEAR_DIRTY_LOG, &log));
}

// createVcpu(id): a Vcpu, or -errno.
Napi::Value Vm::CreateVcpu(const Napi::CallbackInfo& info) {
  if (!core_) return Result(info, -EBADF);
  int fd = core_->descriptor.control(KVM_CREATE_VCPU, GetNumber(info, 0));
  if (fd < 0) return Result(info, fd);
  return Vcpu::Make(info.Env(), fd, core_);
}

}  // namespace vmtape

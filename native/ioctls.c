#include "ioctls.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#define STRUCTURE(handle, request, type) {handle, #request, request, sizeof(struct type), 0}
#define LIST(handle, request, type, entry) {handle, #request, request, sizeof(struct type), entry}

const struct vmtape_ioctl vmtape_ioctls[] = {
    LIST(VMTAPE_SYSTEM, KVM_GET_SUPPORTED_CPUID, kvm_cpuid2, sizeof(struct kvm_cpuid_entry2)),
    LIST(VMTAPE_SYSTEM, KVM_GET_EMULATED_CPUID, kvm_cpuid2, sizeof(struct kvm_cpuid_entry2)),
    LIST(VMTAPE_SYSTEM, KVM_GET_MSR_INDEX_LIST, kvm_msr_list, sizeof(__u32)),
    LIST(VMTAPE_SYSTEM, KVM_GET_MSR_FEATURE_INDEX_LIST, kvm_msr_list, sizeof(__u32)),
    LIST(VMTAPE_SYSTEM, KVM_GET_MSRS, kvm_msrs, sizeof(struct kvm_msr_entry)),
    STRUCTURE(VMTAPE_VCPU, KVM_GET_REGS, kvm_regs),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_REGS, kvm_regs),
    STRUCTURE(VMTAPE_VCPU, KVM_GET_SREGS, kvm_sregs),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_SREGS, kvm_sregs),
#ifdef KVM_GET_SREGS2
    STRUCTURE(VMTAPE_VCPU, KVM_GET_SREGS2, kvm_sregs2),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_SREGS2, kvm_sregs2),
#endif
    STRUCTURE(VMTAPE_VCPU, KVM_GET_FPU, kvm_fpu),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_FPU, kvm_fpu),
    /* The bytes beyond kvm_xsave that XSAVE2 has: TypeScript sizes the buffer by KVM_CAP_XSAVE2. */
    STRUCTURE(VMTAPE_VCPU, KVM_GET_XSAVE, kvm_xsave),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_XSAVE, kvm_xsave),
#ifdef KVM_GET_XSAVE2
    STRUCTURE(VMTAPE_VCPU, KVM_GET_XSAVE2, kvm_xsave),
#endif
    STRUCTURE(VMTAPE_VCPU, KVM_GET_XCRS, kvm_xcrs),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_XCRS, kvm_xcrs),
    STRUCTURE(VMTAPE_VCPU, KVM_GET_VCPU_EVENTS, kvm_vcpu_events),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_VCPU_EVENTS, kvm_vcpu_events),
    STRUCTURE(VMTAPE_VCPU, KVM_GET_DEBUGREGS, kvm_debugregs),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_DEBUGREGS, kvm_debugregs),
    STRUCTURE(VMTAPE_VCPU, KVM_GET_MP_STATE, kvm_mp_state),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_MP_STATE, kvm_mp_state),
    STRUCTURE(VMTAPE_VCPU, KVM_SET_GUEST_DEBUG, kvm_guest_debug),
    STRUCTURE(VMTAPE_VCPU, KVM_TRANSLATE, kvm_translation),
    LIST(VMTAPE_VCPU, KVM_GET_CPUID2, kvm_cpuid2, sizeof(struct kvm_cpuid_entry2)),
    LIST(VMTAPE_VCPU, KVM_SET_CPUID2, kvm_cpuid2, sizeof(struct kvm_cpuid_entry2)),
    LIST(VMTAPE_VCPU, KVM_GET_MSRS, kvm_msrs, sizeof(struct kvm_msr_entry)),
    LIST(VMTAPE_VCPU, KVM_SET_MSRS, kvm_msrs, sizeof(struct kvm_msr_entry)),
    {VMTAPE_SYSTEM, NULL, 0, 0, 0},
};

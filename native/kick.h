// Getting a vCPU thread out of KVM_RUN: from any thread, and by a timer.
//
// KVM_RUN ends with EINTR when a signal comes or when kvm_run.immediate_exit is set. A signal alone is lost if it comes
// just before KVM_RUN, and immediate_exit alone is not looked at inside the guest: so a kick does both, in this order.
#ifndef VMTAPE_KICK_H
#define VMTAPE_KICK_H

#include <atomic>
#include <cstdint>
#include <ctime>

#include <linux/kvm.h>
#include <sys/types.h>

namespace vmtape {

// The place of one vCPU in a table that outlives it, so that a late signal or a stale token finds nothing instead of
// freed memory.
class KickSlot {
 public:
  // -EAGAIN: all places are taken.
  int Open(kvm_run* page);
  // Deletes the timer. Waits for a kick under way.
  void Close();
  ~KickSlot() { Close(); }

  // What another thread kicks this vCPU by: never reused. 0: not open.
  double token() const;
  // Notes the calling thread as the one in KVM_RUN; cheap when it is the same as the last time.
  void EnterThread();
  // True once after a kick.
  bool TakeKick();
  // A kick came and was not taken.
  bool HasKick() const;
  // Kicks `microseconds` from now, once; 0 takes a kick that did not happen yet back. The calling thread must be the one
  // that runs the vCPU. 0 or -errno.
  int ArmTimer(uint64_t microseconds);

 private:
  int index_ = -1;
  pid_t thread_ = 0;
  pid_t timerThread_ = 0;
  timer_t timer_{};
};

// Ends the run under way of the vCPU with that token, or its next one. -ESRCH: there is no such vCPU (any more).
int Kick(double token);

}  // namespace vmtape

#endif

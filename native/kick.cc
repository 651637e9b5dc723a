#include "kick.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace vmtape {
namespace {

constexpr int kSlots = 1024;

struct Slot {
  std::atomic<kvm_run*> page{nullptr};
  std::atomic<pid_t> thread{0};
  std::atomic<uint32_t> generation{0};
  // A kick that no run has reported yet: unlike immediate_exit, only a kick sets it.
  std::atomic<bool> kicked{false};
};

Slot slots[kSlots];
// Held by Open, Close and Kick; never by the signal handler.
std::mutex slotsMutex;

int KickSignal() { return SIGRTMIN + 5; }

void SetImmediateExit(Slot& slot, kvm_run* page) {
  slot.kicked = true;
  __atomic_store_n(&page->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

// A timer's signal is delivered to the thread that runs the vCPU, and that thread also closes it: the page cannot go away
// while the handler uses it. A signal from Kick has set immediate_exit already, its arrival is all that is needed.
void HandleSignal(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return;
  uint32_t value = static_cast<uint32_t>(info->si_value.sival_int);
  Slot& slot = slots[value % kSlots];
  if (slot.generation.load() % (UINT32_MAX / kSlots) != value / kSlots) return;
  kvm_run* page = slot.page.load();
  if (page != nullptr) SetImmediateExit(slot, page);
}

void InstallHandler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = HandleSignal;
    // KVM_RUN returns EINTR in spite of SA_RESTART; other system calls of the thread go on.
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(KickSignal(), &action, nullptr);
  });
}

pid_t CurrentThread() {
  static thread_local pid_t thread = static_cast<pid_t>(syscall(SYS_gettid));
  return thread;
}

}  // namespace

int KickSlot::Open(kvm_run* page) {
  InstallHandler();
  std::lock_guard<std::mutex> lock(slotsMutex);
  for (int i = 0; i < kSlots; i++) {
    if (slots[i].page.load() != nullptr) continue;
    slots[i].generation++;
    slots[i].thread = 0;
    slots[i].kicked = false;
    slots[i].page = page;
    index_ = i;
    return 0;
  }
  return -EAGAIN;
}

void KickSlot::Close() {
  if (index_ < 0) return;
  if (timerThread_ != 0) timer_delete(timer_);
  timerThread_ = 0;
  std::lock_guard<std::mutex> lock(slotsMutex);
  slots[index_].page = nullptr;
  index_ = -1;
}

double KickSlot::token() const {
  return index_ < 0 ? 0 : static_cast<double>(slots[index_].generation.load()) * kSlots + index_;
}

void KickSlot::EnterThread() {
  pid_t current = CurrentThread();
  if (current == thread_) return;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, KickSignal());
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  thread_ = current;
  slots[index_].thread = current;
}

bool KickSlot::TakeKick() { return slots[index_].kicked.exchange(false); }

bool KickSlot::HasKick() const { return slots[index_].kicked.load(); }

int KickSlot::ArmTimer(uint64_t microseconds) {
  EnterThread();
  if (timerThread_ != thread_) {
    if (timerThread_ != 0) timer_delete(timer_);
    timerThread_ = 0;
    sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = KickSignal();
    event.sigev_notify_thread_id = thread_;
    uint32_t generation = slots[index_].generation.load() % (UINT32_MAX / kSlots);
    event.sigev_value.sival_int = static_cast<int>(generation * kSlots + static_cast<uint32_t>(index_));
    if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) return -errno;
    timerThread_ = thread_;
  }
  itimerspec when;
  memset(&when, 0, sizeof when);
  when.it_value.tv_sec = static_cast<time_t>(microseconds / 1000000);
  when.it_value.tv_nsec = static_cast<long>(microseconds % 1000000 * 1000);
  return timer_settime(timer_, 0, &when, nullptr) != 0 ? -errno : 0;
}

int Kick(double token) {
  if (!(token >= kSlots)) return -ESRCH;
  uint64_t value = static_cast<uint64_t>(token);
  Slot& slot = slots[value % kSlots];
  std::lock_guard<std::mutex> lock(slotsMutex);
  kvm_run* page = slot.page.load();
  if (page == nullptr || slot.generation.load() != value / kSlots) return -ESRCH;
  SetImmediateExit(slot, page);
  pid_t thread = slot.thread.load();
  // The thread that kicks itself is not in KVM_RUN.
  if (thread != 0 && thread != CurrentThread() && syscall(SYS_tgkill, getpid(), thread, KickSignal()) != 0) {
    return errno == ESRCH ? 0 : -errno;
  }
  return 0;
}

}  // namespace vmtape

// File descriptors of /dev/kvm that close themselves.
#ifndef VMTAPE_DESCRIPTOR_H
#define VMTAPE_DESCRIPTOR_H

#include <cerrno>
#include <sys/ioctl.h>
#include <unistd.h>

namespace vmtape {

// Owns one file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int fd() const { return fd_; }

  // The ioctl's result, or -errno. A signal (the kick of another vCPU of this thread, a profiler) only repeats it.
  int control(unsigned long request, unsigned long argument) const {
    int result;
    do {
      result = controlOnce(request, argument);
    } while (result == -EINTR);
    return result;
  }
  int control(unsigned long request, void* argument) const {
    return control(request, reinterpret_cast<unsigned long>(argument));
  }
  // For KVM_RUN, where -EINTR is an answer.
  int controlOnce(unsigned long request, unsigned long argument) const {
    int result = ioctl(fd_, request, argument);
    return result < 0 ? -errno : result;
  }

 private:
  int fd_;
};

}  // namespace vmtape

#endif

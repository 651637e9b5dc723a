// The constructors of the three classes, kept per environment: the addon works in any number of workers at once.
#ifndef VMTAPE_CLASSES_H
#define VMTAPE_CLASSES_H

#include <napi.h>

namespace vmtape {

struct Classes {
  Napi::FunctionReference system;
  Napi::FunctionReference vm;
  Napi::FunctionReference vcpu;
};

}  // namespace vmtape

#endif

# Builds the /dev/kvm addon (native/). scripts/build-native.mjs runs this through node-gyp when vmtape is installed on
# x86-64 Linux with a C++ compiler; anywhere else the addon is absent and `vmtape doctor` says so.
{
  "targets": [
    {
      "target_name": "vmtape_kvm",
      "sources": [
        "native/addon.cc",
        "native/buffers.cc",
        "native/ioctls.c",
        "native/kick.cc",
        "native/system.cc",
        "native/vcpu.cc",
        "native/vm.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"],
      "libraries": ["-lrt"]
    },
    # Not for /dev/kvm: the processor itself as the oracle of `vmtape compare insn --oracle process`.
    {
      "target_name": "vmtape_silicon",
      "type": "executable",
      "sources": ["native/silicon.c"],
      "cflags": ["-O1", "-Wall", "-Wextra", "-fcf-protection=none", "-fno-stack-protector"]
    }
  ]
}

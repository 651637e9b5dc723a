#include "buffers.h"

#include <cstring>
#include <string>

namespace vmtape {
int Transfer(const Descriptor& descriptor, vmtape_handle handle, const char* name, uint8_t* bytes, size_t length) {
  for (const vmtape_ioctl* row = vmtape_ioctls; row->name != nullptr; row++) {
    if (row->handle != handle || strcmp(row->name, name) != 0) continue;
    if (length < row->fixed) return -EINVAL;
    if (row->entry != 0) {
      uint32_t count;
      memcpy(&count, bytes, sizeof count);
      if ((length - row->fixed) / row->entry < count) return -EINVAL;
    }
    return descriptor.control(row->request, bytes);
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

Napi::Value TransferMethod(const Napi::CallbackInfo& info, const Descriptor* descriptor, vmtape_handle handle) {
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

// SPDX-License-Identifier: Apache-2.0
// What the natives of all classes share: strings, arrays, exceptions. Natives take valid handles from Java, which
// guards them; a native that has thrown returns at once.
#ifndef TEALIGHT_JNI_UTIL_H_
#define TEALIGHT_JNI_UTIL_H_

#include <jni.h>

#include "tealight.h"

namespace tealight_jni {

template <typename T>
T* FromHandle(jlong handle) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(handle));
}

inline jlong ToHandle(const void* object) { return static_cast<jlong>(reinterpret_cast<uintptr_t>(object)); }

/// Finds the classes below. False with an exception pending when one is not there.
bool FindClasses(JNIEnv* env);

/// Throws TealightException.
void Throw(JNIEnv* env, tl_status code, const char* message);

/// True when status is TL_OK; otherwise throws the error.
bool Check(JNIEnv* env, tl_status status, const tl_error& error);

/// UTF-8 text as a Java string; what is not UTF-8 becomes U+FFFD. Null for null, and with an exception pending when
/// there is no memory.
jstring NewString(JNIEnv* env, const char* text);

/// Null with an exception pending when there is no memory.
jlongArray NewLongs(JNIEnv* env, const jlong* values, size_t count);
/// The dtype and the dims of a tensor.
jlongArray NewTensorInfo(JNIEnv* env, const tl_tensor& tensor);

/// An array of nulls.
jobjectArray NewStringArray(JNIEnv* env, size_t count);

/// An array of count strings, text(i) each. Null with an exception pending when there is no memory.
template <typename F>
jobjectArray NewStrings(JNIEnv* env, size_t count, const F& text) {
  jobjectArray strings = NewStringArray(env, count);
  for (size_t i = 0; strings != nullptr && i < count; ++i) {
    jstring string = NewString(env, text(i));  // never null text
    if (string == nullptr) return nullptr;
    env->SetObjectArrayElement(strings, static_cast<jsize>(i), string);
    if (env->ExceptionCheck()) return nullptr;
    env->DeleteLocalRef(string);
  }
  return strings;
}

/// Counts what at(i) has before it gives null.
template <typename F>
size_t Count(const F& at) {
  size_t count = 0;
  while (at(count) != nullptr) ++count;
  return count;
}

/// The bytes of a NUL-terminated byte[] while this lives.
class CString {
 public:
  CString(JNIEnv* env, jbyteArray bytes) : env_(env), bytes_(bytes) {
    data_ = env->GetByteArrayElements(bytes, nullptr);
  }
  ~CString() {
    if (data_ != nullptr) env_->ReleaseByteArrayElements(bytes_, data_, JNI_ABORT);
  }
  CString(const CString&) = delete;
  CString& operator=(const CString&) = delete;

  /// Null with an exception pending when there is no memory.
  const char* get() const { return reinterpret_cast<const char*>(data_); }

 private:
  JNIEnv* env_;
  jbyteArray bytes_;
  jbyte* data_;
};

struct Native {
  const char* name;
  const char* signature;
  void* function;
};

/// Registers the natives of one class. False with an exception pending when they do not fit it.
bool Register(JNIEnv* env, const char* class_name, const Native* natives, size_t count);

template <size_t N>
bool Register(JNIEnv* env, const char* class_name, const Native (&natives)[N]) {
  return Register(env, class_name, natives, N);
}

bool RegisterModel(JNIEnv* env);
bool RegisterSession(JNIEnv* env);
bool RegisterTensor(JNIEnv* env);

}  // namespace tealight_jni

#endif  // TEALIGHT_JNI_UTIL_H_

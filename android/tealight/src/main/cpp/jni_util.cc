// SPDX-License-Identifier: Apache-2.0
#include "jni_util.h"

#include <stdlib.h>
#include <string.h>

namespace tealight_jni {
namespace {

jclass exception_class = nullptr;
jmethodID exception_init = nullptr;
jclass string_class = nullptr;

jclass FindGlobal(JNIEnv* env, const char* name) {
  jclass local = env->FindClass(name);
  if (local == nullptr) return nullptr;
  jclass global = static_cast<jclass>(env->NewGlobalRef(local));
  env->DeleteLocalRef(local);
  return global;
}

// Reads one code point at *at and moves on; U+FFFD, one byte on, for what is not UTF-8.
uint32_t NextCodePoint(const unsigned char** at) {
  const unsigned char* p = *at;
  *at = p + 1;
  if (p[0] < 0x80) return p[0];
  const int more = p[0] >= 0xF0 && p[0] <= 0xF4  ? 3
                   : p[0] >= 0xE0 && p[0] < 0xF0 ? 2
                   : p[0] >= 0xC2 && p[0] < 0xE0 ? 1
                                                 : 0;
  if (more == 0) return 0xFFFD;
  uint32_t code = p[0] & (0x3Fu >> more);
  for (int i = 1; i <= more; ++i) {
    if ((p[i] & 0xC0) != 0x80) return 0xFFFD;  // also the NUL at the end
    code = (code << 6) | (p[i] & 0x3F);
  }
  const uint32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return 0xFFFD;
  *at = p + 1 + more;
  return code;
}

// UTF-16 takes at most one unit per byte of UTF-8.
jsize ToUtf16(const char* text, jchar* units) {
  const unsigned char* at = reinterpret_cast<const unsigned char*>(text);
  jsize count = 0;
  while (*at != 0) {
    const uint32_t code = NextCodePoint(&at);
    if (code >= 0x10000) {
      units[count++] = static_cast<jchar>(0xD7C0 + (code >> 10));
      units[count++] = static_cast<jchar>(0xDC00 + (code & 0x3FF));
    } else {
      units[count++] = static_cast<jchar>(code);
    }
  }
  return count;
}

}  // namespace

bool FindClasses(JNIEnv* env) {
  exception_class = FindGlobal(env, "dev/tealight/TealightException");
  if (exception_class == nullptr) return false;
  exception_init = env->GetMethodID(exception_class, "<init>", "(ILjava/lang/String;)V");
  if (exception_init == nullptr) return false;
  string_class = FindGlobal(env, "java/lang/String");
  return string_class != nullptr;
}

void Throw(JNIEnv* env, tl_status code, const char* message) {
  jstring text = NewString(env, message);
  if (text == nullptr) return;
  jobject exception = env->NewObject(exception_class, exception_init, static_cast<jint>(code), text);
  if (exception != nullptr) env->Throw(static_cast<jthrowable>(exception));
}

bool Check(JNIEnv* env, tl_status status, const tl_error& error) {
  if (status == TL_OK) return true;
  Throw(env, status, error.message);
  return false;
}

jstring NewString(JNIEnv* env, const char* text) {
  if (text == nullptr) return nullptr;
  jchar few[512];
  const size_t bytes = strlen(text);
  if (bytes <= sizeof(few) / sizeof(few[0])) return env->NewString(few, ToUtf16(text, few));
  jchar* units = static_cast<jchar*>(malloc(bytes * sizeof(jchar)));
  if (units == nullptr) {
    Throw(env, TL_ERROR_OUT_OF_MEMORY, "text: no memory, expected some");
    return nullptr;
  }
  jstring string = env->NewString(units, ToUtf16(text, units));
  free(units);
  return string;
}

jobjectArray NewStringArray(JNIEnv* env, size_t count) {
  return env->NewObjectArray(static_cast<jsize>(count), string_class, nullptr);
}

jlongArray NewLongs(JNIEnv* env, const jlong* values, size_t count) {
  jlongArray array = env->NewLongArray(static_cast<jsize>(count));
  if (array != nullptr) env->SetLongArrayRegion(array, 0, static_cast<jsize>(count), values);
  return array;
}

jlongArray NewTensorInfo(JNIEnv* env, const tl_tensor& tensor) {
  jlong values[1 + 8] = {tensor.dtype};
  for (uint32_t i = 0; i < tensor.rank; ++i) values[1 + i] = tensor.shape[i];
  return NewLongs(env, values, 1 + tensor.rank);
}

bool Register(JNIEnv* env, const char* class_name, const Native* natives, size_t count) {
  jclass found = env->FindClass(class_name);
  if (found == nullptr) return false;
  for (size_t i = 0; i < count; ++i) {
    // The fields are char* in one jni.h and const char* in the other.
    const JNINativeMethod method = {const_cast<char*>(natives[i].name), const_cast<char*>(natives[i].signature),
                                    natives[i].function};
    if (env->RegisterNatives(found, &method, 1) != JNI_OK) return false;
  }
  env->DeleteLocalRef(found);
  return true;
}

}  // namespace tealight_jni

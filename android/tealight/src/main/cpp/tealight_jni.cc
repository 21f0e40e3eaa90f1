// SPDX-License-Identifier: Apache-2.0
// The natives of Tealight.java, and JNI_OnLoad, which registers those of all classes: nothing else is exported.
#include "jni_util.h"

namespace tealight_jni {
namespace {

jstring Version(JNIEnv* env, jclass) { return NewString(env, tl_version()); }

jint FormatVersion(JNIEnv*, jclass) { return static_cast<jint>(tl_format_version()); }

jstring IsaName(JNIEnv* env, jclass, jint i) { return NewString(env, tl_isa_name(static_cast<size_t>(i))); }

jstring FeatureName(JNIEnv* env, jclass, jint i) { return NewString(env, tl_feature_name(static_cast<size_t>(i))); }

bool RegisterTealight(JNIEnv* env) {
  const Native natives[] = {
      {"nativeVersion", "()Ljava/lang/String;", reinterpret_cast<void*>(Version)},
      {"nativeFormatVersion", "()I", reinterpret_cast<void*>(FormatVersion)},
      {"nativeIsaName", "(I)Ljava/lang/String;", reinterpret_cast<void*>(IsaName)},
      {"nativeFeatureName", "(I)Ljava/lang/String;", reinterpret_cast<void*>(FeatureName)},
  };
  return Register(env, "dev/tealight/Tealight", natives);
}

}  // namespace
}  // namespace tealight_jni

extern "C" JNIEXPORT jint JNI_OnLoad(JavaVM* vm, void*) {
  using namespace tealight_jni;
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  if (!FindClasses(env) || !RegisterTealight(env) || !RegisterModel(env) || !RegisterSession(env) ||
      !RegisterTensor(env)) {
    return JNI_ERR;
  }
  return JNI_VERSION_1_6;
}

// SPDX-License-Identifier: Apache-2.0
// The natives of Tealight.java, and JNI_OnLoad, which registers those of all classes: nothing else is exported.
#include "jni_util.h"

namespace tealight_jni {
namespace {

jstring Version(JNIEnv* env, jclass) { return NewString(env, tl_version()); }

jint FormatVersion(JNIEnv*, jclass) { return static_cast<jint>(tl_format_version()); }

jobjectArray IsaNames(JNIEnv* env, jclass) { return NewStrings(env, Count(tl_isa_name), tl_isa_name); }

jobjectArray FeatureNames(JNIEnv* env, jclass) { return NewStrings(env, Count(tl_feature_name), tl_feature_name); }

bool RegisterTealight(JNIEnv* env) {
  const Native natives[] = {
      {"nativeVersion", "()Ljava/lang/String;", reinterpret_cast<void*>(Version)},
      {"nativeFormatVersion", "()I", reinterpret_cast<void*>(FormatVersion)},
      {"nativeIsaNames", "()[Ljava/lang/String;", reinterpret_cast<void*>(IsaNames)},
      {"nativeFeatureNames", "()[Ljava/lang/String;", reinterpret_cast<void*>(FeatureNames)},
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

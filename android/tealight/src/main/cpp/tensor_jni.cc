// SPDX-License-Identifier: Apache-2.0
// The natives of Tensor.java.
#include "jni_util.h"

namespace tealight_jni {
namespace {

jlong Address(JNIEnv* env, jclass, jobject buffer) { return ToHandle(env->GetDirectBufferAddress(buffer)); }

}  // namespace

bool RegisterTensor(JNIEnv* env) {
  const Native natives[] = {
      {"nativeAddress", "(Ljava/nio/Buffer;)J", reinterpret_cast<void*>(Address)},
  };
  return Register(env, "dev/tealight/Tensor", natives);
}

}  // namespace tealight_jni

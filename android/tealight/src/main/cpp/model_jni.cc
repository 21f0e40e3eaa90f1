// SPDX-License-Identifier: Apache-2.0
// The natives of Model.java.
#include "jni_util.h"

namespace tealight_jni {
namespace {

// Opens with a call of open(tl_model**, tl_error*).
template <typename F>
jlong Open(JNIEnv* env, const F& open) {
  tl_model* model = nullptr;
  tl_error error = {};
  return Check(env, open(&model, &error), error) ? ToHandle(model) : 0;
}

jlong OpenPath(JNIEnv* env, jclass, jbyteArray path) {
  const CString text(env, path);
  if (text.get() == nullptr) return 0;
  return Open(env, [&](tl_model** model, tl_error* error) { return tl_model_open(text.get(), model, error); });
}

jlong OpenFd(JNIEnv* env, jclass, jint fd, jlong offset, jlong length) {
  return Open(env, [&](tl_model** model, tl_error* error) {
    return tl_model_open_fd(fd, static_cast<uint64_t>(offset), static_cast<uint64_t>(length), model, error);
  });
}

jlong OpenMemory(JNIEnv* env, jclass, jlong address, jlong bytes) {
  return Open(env, [&](tl_model** model, tl_error* error) {
    return tl_model_open_memory(FromHandle<const void>(address), static_cast<size_t>(bytes), model, error);
  });
}

void Destroy(JNIEnv*, jclass, jlong model) { tl_model_destroy(FromHandle<tl_model>(model)); }

jobjectArray EntryPoints(JNIEnv* env, jclass, jlong handle) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  return NewStrings(env, tl_model_entry_point_count(model),
                    [&](size_t i) { return tl_model_entry_point_name(model, i); });
}

jobjectArray TensorNames(JNIEnv* env, jclass, jlong handle, jint entry_point, jboolean inputs) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  const size_t entry = static_cast<size_t>(entry_point);
  return NewStrings(
      env, inputs ? tl_model_input_count(model, entry) : tl_model_output_count(model, entry),
      [&](size_t i) { return inputs ? tl_model_input_name(model, entry, i) : tl_model_output_name(model, entry, i); });
}

jlongArray TensorInfo(JNIEnv* env, jclass, jlong handle, jint entry_point, jboolean inputs, jint i) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  const size_t entry = static_cast<size_t>(entry_point);
  tl_tensor info = {};
  const tl_status status =
      (inputs ? tl_model_input_info : tl_model_output_info)(model, entry, static_cast<size_t>(i), &info);
  if (status != TL_OK) {
    Throw(env, status, "tensor: not there, expected one that has a name");
    return nullptr;
  }
  return NewTensorInfo(env, info);
}

jobjectArray Metadata(JNIEnv* env, jclass, jlong handle) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  const auto key = [&](size_t i) { return tl_model_metadata_key(model, i); };
  return NewStrings(env, 2 * Count(key),
                    [&](size_t i) { return i % 2 == 0 ? key(i / 2) : tl_model_metadata(model, key(i / 2)); });
}

jobjectArray Labels(JNIEnv* env, jclass, jlong handle, jbyteArray output) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  const CString name(env, output);
  if (name.get() == nullptr) return nullptr;
  return NewStrings(env, tl_model_label_count(model, name.get()),
                    [&](size_t i) { return tl_model_label(model, name.get(), i); });
}

jobjectArray ImageInputs(JNIEnv* env, jclass, jlong handle) {
  const tl_model* model = FromHandle<const tl_model>(handle);
  const auto input = [&](size_t i) {
    tl_image_info info = {};
    return tl_model_image_info(model, i, &info) == TL_OK ? info.input : nullptr;
  };
  return NewStrings(env, Count(input), input);
}

jintArray ImageNumbers(JNIEnv* env, jclass, jlong model, jint i) {
  tl_image_info info = {};
  tl_model_image_info(FromHandle<const tl_model>(model), static_cast<size_t>(i), &info);
  const jint values[] = {info.height, info.width, info.channels_first, info.channel_order};
  jintArray numbers = env->NewIntArray(4);
  if (numbers != nullptr) env->SetIntArrayRegion(numbers, 0, 4, values);
  return numbers;
}

jfloatArray ImageNormalisation(JNIEnv* env, jclass, jlong model, jint i) {
  tl_image_info info = {};
  tl_model_image_info(FromHandle<const tl_model>(model), static_cast<size_t>(i), &info);
  jfloatArray values = env->NewFloatArray(2 * info.channels);
  if (values == nullptr) return nullptr;
  env->SetFloatArrayRegion(values, 0, info.channels, info.mean);
  if (env->ExceptionCheck()) return nullptr;
  env->SetFloatArrayRegion(values, info.channels, info.channels, info.scale);
  return values;
}

}  // namespace

bool RegisterModel(JNIEnv* env) {
  const Native natives[] = {
      {"nativeOpenPath", "([B)J", reinterpret_cast<void*>(OpenPath)},
      {"nativeOpenFd", "(IJJ)J", reinterpret_cast<void*>(OpenFd)},
      {"nativeOpenMemory", "(JJ)J", reinterpret_cast<void*>(OpenMemory)},
      {"nativeDestroy", "(J)V", reinterpret_cast<void*>(Destroy)},
      {"nativeEntryPoints", "(J)[Ljava/lang/String;", reinterpret_cast<void*>(EntryPoints)},
      {"nativeTensorNames", "(JIZ)[Ljava/lang/String;", reinterpret_cast<void*>(TensorNames)},
      {"nativeTensorInfo", "(JIZI)[J", reinterpret_cast<void*>(TensorInfo)},
      {"nativeMetadata", "(J)[Ljava/lang/String;", reinterpret_cast<void*>(Metadata)},
      {"nativeLabels", "(J[B)[Ljava/lang/String;", reinterpret_cast<void*>(Labels)},
      {"nativeImageInputs", "(J)[Ljava/lang/String;", reinterpret_cast<void*>(ImageInputs)},
      {"nativeImageNumbers", "(JI)[I", reinterpret_cast<void*>(ImageNumbers)},
      {"nativeImageNormalisation", "(JI)[F", reinterpret_cast<void*>(ImageNormalisation)},
  };
  return Register(env, "dev/tealight/Model", natives);
}

}  // namespace tealight_jni

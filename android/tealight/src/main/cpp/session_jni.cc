// SPDX-License-Identifier: Apache-2.0
// The natives of Session.java.
#include <string.h>

#include "jni_util.h"

namespace tealight_jni {
namespace {

constexpr jsize kMaxRank = 8;  // as Tensor.java

// Session.log() with the LogCallback that is to be told.
struct Log {
  JNIEnv* env;
  jclass session;
  jmethodID method;
  jobject callback;
};

void Tell(void* context, tl_log_level level, const char* message) {
  const Log& log = *static_cast<const Log*>(context);
  if (log.env->ExceptionCheck()) return;  // of the message before
  jstring text = NewString(log.env, message);
  if (text == nullptr) return;
  log.env->CallStaticVoidMethod(log.session, log.method, log.callback, static_cast<jint>(level), text);
  log.env->DeleteLocalRef(text);
}

jlong Create(JNIEnv* env, jclass self, jlong model, jint entry_point, jint threads, jint backend, jint power_mode,
             jboolean profile, jlong memory_limit, jobject callback) {
  tl_session_options options;
  tl_session_options_init(&options, sizeof(options));
  options.entry_point = static_cast<size_t>(entry_point);
  options.threads = static_cast<uint32_t>(threads);
  options.backend = static_cast<tl_backend>(backend);
  options.power_mode = static_cast<tl_power_mode>(power_mode);
  options.profile = profile;
  options.memory_limit = static_cast<uint64_t>(memory_limit);
  Log log = {env, self, nullptr, callback};
  if (callback != nullptr) {
    log.method = env->GetStaticMethodID(self, "log", "(Ljava/lang/Object;ILjava/lang/String;)V");
    if (log.method == nullptr) return 0;
    options.log = Tell;
    options.log_context = &log;
  }
  tl_session* session = nullptr;
  tl_error error = {};
  const tl_status status = tl_session_create(FromHandle<const tl_model>(model), &options, &session, &error);
  if (callback != nullptr && env->ExceptionCheck()) {  // thrown by the callback
    tl_session_destroy(session);
    return 0;
  }
  return Check(env, status, error) ? ToHandle(session) : 0;
}

void Destroy(JNIEnv*, jclass, jlong session) { tl_session_destroy(FromHandle<tl_session>(session)); }

tl_tensor MakeTensor(JNIEnv* env, jint dtype, jintArray shape, jlong address, jlong bytes) {
  jint dims[kMaxRank] = {};
  const jsize rank = env->GetArrayLength(shape);
  env->GetIntArrayRegion(shape, 0, rank, dims);
  tl_tensor tensor = {};
  tensor.dtype = static_cast<tl_dtype>(dtype);
  tensor.rank = static_cast<uint32_t>(rank);
  for (jsize i = 0; i < rank; ++i) tensor.shape[i] = dims[i];
  tensor.data = FromHandle<void>(address);
  tensor.size_bytes = static_cast<size_t>(bytes);
  return tensor;
}

void SetInput(JNIEnv* env, jclass, jlong session, jint i, jint dtype, jintArray shape, jlong address, jlong bytes) {
  const tl_tensor tensor = MakeTensor(env, dtype, shape, address, bytes);
  tl_error error = {};
  Check(env, tl_session_set_input(FromHandle<tl_session>(session), static_cast<size_t>(i), &tensor, &error), error);
}

void SetOutput(JNIEnv* env, jclass, jlong session, jint i, jint dtype, jintArray shape, jlong address, jlong bytes) {
  const tl_tensor tensor = MakeTensor(env, dtype, shape, address, bytes);
  tl_error error = {};
  Check(env, tl_session_set_output(FromHandle<tl_session>(session), static_cast<size_t>(i), &tensor, &error), error);
}

void UnsetOutput(JNIEnv* env, jclass, jlong session, jint i) {
  tl_error error = {};
  Check(env, tl_session_set_output(FromHandle<tl_session>(session), static_cast<size_t>(i), nullptr, &error), error);
}

void Run(JNIEnv* env, jclass, jlong session, jlong deadline_ns) {
  tl_error error = {};
  Check(env, tl_session_run(FromHandle<tl_session>(session), static_cast<uint64_t>(deadline_ns), &error), error);
}

// False with an exception pending when there is no such output.
bool GetOutput(JNIEnv* env, jlong session, jint i, tl_tensor* tensor) {
  tl_error error = {};
  return Check(env, tl_session_get_output(FromHandle<tl_session>(session), static_cast<size_t>(i), tensor, &error),
               error);
}

jlongArray OutputInfo(JNIEnv* env, jclass, jlong session, jint i) {
  tl_tensor tensor = {};
  return GetOutput(env, session, i, &tensor) ? NewTensorInfo(env, tensor) : nullptr;
}

void CopyOutput(JNIEnv* env, jclass, jlong session, jint i, jlong address, jlong bytes) {
  tl_tensor tensor = {};
  if (!GetOutput(env, session, i, &tensor) || bytes == 0) return;
  const size_t room = static_cast<size_t>(bytes);
  memcpy(FromHandle<void>(address), tensor.data, tensor.size_bytes < room ? tensor.size_bytes : room);
}

void Cancel(JNIEnv*, jclass, jlong session) { tl_session_cancel(FromHandle<tl_session>(session)); }

void SelfTest(JNIEnv* env, jclass, jlong session) {
  tl_error error = {};
  Check(env, tl_session_self_test(FromHandle<tl_session>(session), &error), error);
}

jlongArray Memory(JNIEnv* env, jclass, jlong session) {
  tl_memory memory = {};
  tl_session_memory(FromHandle<const tl_session>(session), &memory);
  const jlong values[] = {static_cast<jlong>(memory.arena_bytes), static_cast<jlong>(memory.scratch_bytes),
                          static_cast<jlong>(memory.weights_bytes), static_cast<jlong>(memory.state_bytes),
                          memory.exact};
  return NewLongs(env, values, sizeof(values) / sizeof(values[0]));
}

jobjectArray ProfileTexts(JNIEnv* env, jclass, jlong handle) {
  const tl_session* session = FromHandle<const tl_session>(handle);
  return NewStrings(env, 2 * tl_session_profile_count(session), [&](size_t i) {
    tl_profile_row row = {};
    tl_session_profile_row(session, i / 2, &row);
    return i % 2 == 0 ? row.name : row.op;
  });
}

jlongArray ProfileNumbers(JNIEnv* env, jclass, jlong handle) {
  const tl_session* session = FromHandle<const tl_session>(handle);
  const size_t count = tl_session_profile_count(session);
  jlongArray numbers = env->NewLongArray(static_cast<jsize>(4 * count));
  if (numbers == nullptr) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    tl_profile_row row = {};
    tl_session_profile_row(session, i, &row);
    const jlong values[] = {row.instruction, static_cast<jlong>(row.runs), static_cast<jlong>(row.total_ns),
                            static_cast<jlong>(row.min_ns)};
    env->SetLongArrayRegion(numbers, static_cast<jsize>(4 * i), 4, values);
    if (env->ExceptionCheck()) return nullptr;
  }
  return numbers;
}

}  // namespace

bool RegisterSession(JNIEnv* env) {
  const Native natives[] = {
      {"nativeCreate", "(JIIIIZJLjava/lang/Object;)J", reinterpret_cast<void*>(Create)},
      {"nativeDestroy", "(J)V", reinterpret_cast<void*>(Destroy)},
      {"nativeSetInput", "(JII[IJJ)V", reinterpret_cast<void*>(SetInput)},
      {"nativeSetOutput", "(JII[IJJ)V", reinterpret_cast<void*>(SetOutput)},
      {"nativeUnsetOutput", "(JI)V", reinterpret_cast<void*>(UnsetOutput)},
      {"nativeRun", "(JJ)V", reinterpret_cast<void*>(Run)},
      {"nativeOutputInfo", "(JI)[J", reinterpret_cast<void*>(OutputInfo)},
      {"nativeCopyOutput", "(JIJJ)V", reinterpret_cast<void*>(CopyOutput)},
      {"nativeCancel", "(J)V", reinterpret_cast<void*>(Cancel)},
      {"nativeSelfTest", "(J)V", reinterpret_cast<void*>(SelfTest)},
      {"nativeMemory", "(J)[J", reinterpret_cast<void*>(Memory)},
      {"nativeProfileTexts", "(J)[Ljava/lang/String;", reinterpret_cast<void*>(ProfileTexts)},
      {"nativeProfileNumbers", "(J)[J", reinterpret_cast<void*>(ProfileNumbers)},
  };
  return Register(env, "dev/tealight/Session", natives);
}

}  // namespace tealight_jni

// SPDX-License-Identifier: Apache-2.0
// The C API: sessions. A session does one thing at a time; who comes second is told so.
#include <stddef.h>
#include <string.h>

#include "api/handle.h"

using tealight::Status;

namespace {

// Takes a session for one call, or for a run that goes on after it.
class Turn {
 public:
  explicit Turn(const tl_session* session) : session_(session), is_mine_(!session->is_busy.exchange(true)) {}
  ~Turn() {
    if (is_mine_) session_->is_busy.store(false);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  /// The session stays taken: whoever goes on with it gives it back.
  void Keep() { is_mine_ = false; }
  bool is_mine() const { return is_mine_; }

 private:
  const tl_session* session_;
  bool is_mine_;
};

Status Busy() { return Status::Error(TL_ERROR_BUSY, "session: another call is running, expected one at a time"); }

// Calls f, which returns a Status, when the session is free.
template <typename F>
tl_status InTurn(const tl_session* session, tl_error* error, const F& f) {
  const Turn turn(session);
  return (turn.is_mine() ? f() : Busy()).ToC(error);
}

// Copies what the caller's version of the struct has: older ones end earlier, newer ones have fields that must be 0.
Status ReadOptions(const tl_session_options* options, tl_session_options* result) {
  constexpr size_t kFirstSize = offsetof(tl_session_options, log_context) + sizeof(void*);
  constexpr size_t kMostSize = 4096;
  tl_session_options_init(result, sizeof(*result));
  if (options == nullptr) return Status::Ok();
  const size_t size = options->size;
  const char* bytes = reinterpret_cast<const char*>(options);
  bool good = size >= kFirstSize && size <= kMostSize;
  for (size_t i = sizeof(*result); good && i < size; ++i) good = bytes[i] == 0;
  if (!good) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT,
                         "session options: size %zu, expected %zu, or more with zeros; call tl_session_options_init",
                         size, sizeof(*result));
  }
  memcpy(result, options, size < sizeof(*result) ? size : sizeof(*result));
  return Status::Ok();
}

void DeleteSession(void* context) {
  tl_session* session = static_cast<tl_session*>(context);
  tl_model* model = session->model;
  tealight::Delete(session);
  tealight::Release(model);
}

// Runs on the session's thread. The session is free before the callback, which may start the next run.
void FinishRun(void* context) {
  tl_session* session = static_cast<tl_session*>(context);
  const tl_run_fn done = session->done;
  void* const done_context = session->context;
  tl_error error;
  const tl_status status = session->session.Finish().ToC(&error);
  session->is_busy.store(false);
  done(done_context, status, &error);
}

Status StartRun(tl_session* session, uint64_t deadline_ns) {
  if (!session->thread.Start()) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "session: no thread to run on, expected the system to give one");
  }
  RETURN_IF_ERROR(session->session.Begin(deadline_ns));
  session->session.ForgetCancel();
  // After that, so that a cancel by tl_session_destroy either is seen here or stops the run.
  if (session->thread.is_stopping()) {
    return Status::Error(TL_ERROR_CANCELLED, "run: the session is being destroyed, expected no new run");
  }
  return Status::Ok();
}

}  // namespace

void tl_session_options_init(tl_session_options* options, size_t size) {
  memset(options, 0, size);
  options->size = size;
}

tl_status tl_session_create(const tl_model* model, const tl_session_options* options, tl_session** session,
                            tl_error* error) {
  tl_session_options known;
  Status status = ReadOptions(options, &known);
  if (!status.ok()) return status.ToC(error);
  return tealight::Make(session, error, [&](tl_session* made) {
    RETURN_IF_ERROR(made->session.Create(model->model, known));
    made->model = const_cast<tl_model*>(model);
    made->model->owners.fetch_add(1);
    return Status::Ok();
  });
}

void tl_session_destroy(tl_session* session) {
  if (session == nullptr) return;
  session->thread.RequestStop();
  session->session.Cancel();
  if (session->thread.Join(DeleteSession, session)) DeleteSession(session);
}

tl_status tl_session_memory(const tl_session* session, tl_memory* memory) {
  return InTurn(session, nullptr, [&] {
    session->session.Memory(memory);
    return Status::Ok();
  });
}
tl_status tl_session_set_input(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.SetInput(i, *tensor); });
}
tl_status tl_session_set_output(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.SetOutput(i, tensor); });
}
tl_status tl_session_run(tl_session* session, uint64_t deadline_ns, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.Run(deadline_ns); });
}
tl_status tl_session_get_output(const tl_session* session, size_t i, tl_tensor* tensor, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.GetOutput(i, tensor); });
}
void tl_session_cancel(tl_session* session) { session->session.Cancel(); }

tl_status tl_session_run_async(tl_session* session, uint64_t deadline_ns, tl_run_fn done, void* context,
                               tl_error* error) {
  Turn turn(session);
  Status status = turn.is_mine() ? StartRun(session, deadline_ns) : Busy();
  if (status.ok()) {
    session->done = done;
    session->context = context;
    turn.Keep();
    session->thread.Post(FinishRun, session);
  }
  return status.ToC(error);
}

tl_status tl_session_self_test(tl_session* session, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.SelfTest(); });
}

// ---- looking inside ----

size_t tl_session_profile_count(const tl_session* session) { return session->session.profile_count(); }
tl_status tl_session_profile_row(const tl_session* session, size_t i, tl_profile_row* row) {
  if (i >= session->session.profile_count()) return TL_ERROR_NOT_FOUND;
  return InTurn(session, nullptr, [&] {
    session->session.ProfileRow(i, row);
    return Status::Ok();
  });
}
tl_status tl_session_get_tensor(const tl_session* session, size_t tensor_index, tl_tensor* tensor, tl_error* error) {
  return InTurn(session, error, [&] { return session->session.GetTensor(tensor_index, tensor); });
}

// SPDX-License-Identifier: Apache-2.0
#include "base/async_thread.h"

#include "base/thread.h"

namespace tealight {

AsyncThread::~AsyncThread() {
  pthread_cond_destroy(&changed_);
  pthread_mutex_destroy(&mutex_);
}

bool AsyncThread::Start() {
  if (!is_started_) is_started_ = StartThread(&thread_, Main, this);
  return is_started_;
}

void AsyncThread::Post(Job job, void* context) {
  pthread_mutex_lock(&mutex_);
  job_ = job;
  context_ = context;
  pthread_cond_signal(&changed_);
  pthread_mutex_unlock(&mutex_);
}

void AsyncThread::RequestStop() {
  pthread_mutex_lock(&mutex_);
  is_stopping_ = true;
  pthread_cond_signal(&changed_);
  pthread_mutex_unlock(&mutex_);
}

bool AsyncThread::is_stopping() {
  pthread_mutex_lock(&mutex_);
  const bool result = is_stopping_;
  pthread_mutex_unlock(&mutex_);
  return result;
}

bool AsyncThread::Join(Job last, void* context) {
  if (!is_started_) return true;
  if (pthread_equal(pthread_self(), thread_) != 0) {
    last_ = last;
    last_context_ = context;
    pthread_detach(thread_);
    return false;
  }
  pthread_join(thread_, nullptr);
  return true;
}

void* AsyncThread::Main(void* argument) {
  AsyncThread* self = static_cast<AsyncThread*>(argument);
  for (;;) {
    pthread_mutex_lock(&self->mutex_);
    while (self->job_ == nullptr && !self->is_stopping_) pthread_cond_wait(&self->changed_, &self->mutex_);
    const Job job = self->job_;
    void* const context = self->context_;
    self->job_ = nullptr;
    pthread_mutex_unlock(&self->mutex_);
    if (job == nullptr) break;
    job(context);
  }
  if (self->last_ != nullptr) self->last_(self->last_context_);
  return nullptr;
}

}  // namespace tealight

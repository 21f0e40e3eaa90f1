// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <signal.h>

namespace tealight {

bool StartThread(pthread_t* thread, void* (*main)(void*), void* argument) {
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  const bool good = pthread_create(thread, nullptr, main, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return good;
}

}  // namespace tealight

// SPDX-License-Identifier: Apache-2.0
// Starting a thread of the library's own.
#ifndef TEALIGHT_BASE_THREAD_H_
#define TEALIGHT_BASE_THREAD_H_

#include <pthread.h>

namespace tealight {

/// Starts a thread that gets no signals: they are the application's. Returns false when the system gives no thread.
bool StartThread(pthread_t* thread, void* (*main)(void*), void* argument);

}  // namespace tealight

#endif  // TEALIGHT_BASE_THREAD_H_

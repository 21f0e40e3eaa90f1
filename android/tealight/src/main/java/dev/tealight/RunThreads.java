// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The threads that asynchronous runs wait on: as many as there are such runs, gone after ten idle seconds. */
final class RunThreads {
  private static final Executor THREADS = new ThreadPoolExecutor(
      0, Integer.MAX_VALUE, 10, TimeUnit.SECONDS, new SynchronousQueue<Runnable>(), new ThreadFactory() {
        private final AtomicInteger count = new AtomicInteger();

        @Override
        public Thread newThread(Runnable task) {
          Thread thread = new Thread(task, "tealight-run-" + count.incrementAndGet());
          thread.setDaemon(true);
          return thread;
        }
      });

  private RunThreads() {}

  static void start(final Run run, final Executor executor, final RunCallback callback) {
    boolean started = false;
    try {
      THREADS.execute(new Runnable() {
        @Override
        public void run() {
          deliver(run, executor, callback);
        }
      });
      started = true;
    } finally {
      if (!started)
        run.abandon();
    }
  }

  private static void deliver(Run run, Executor executor, final RunCallback callback) {
    Map<String, Tensor> outputs = null;
    TealightException error = null;
    try {
      outputs = run.session().byName(run.finish());
    } catch (TealightException e) {
      error = e;
    }
    Runnable result = new Result(callback, outputs, error);
    try {
      executor.execute(result);
    } catch (RejectedExecutionException e) {
      result.run();
    }
  }

  private static final class Result implements Runnable {
    private final RunCallback callback;
    private final @Nullable Map<String, Tensor> outputs;
    private final @Nullable TealightException error;

    Result(RunCallback callback, @Nullable Map<String, Tensor> outputs, @Nullable TealightException error) {
      this.callback = callback;
      this.outputs = outputs;
      this.error = error;
    }

    @Override
    public void run() {
      callback.onResult(outputs, error);
    }
  }
}

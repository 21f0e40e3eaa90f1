// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.Collections;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.Test;

/** Runs that do not block: by callback and by future. */
public class AsyncTest {
  private static final Map<String, Tensor> SMALL =
      Collections.singletonMap("x", Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
  private static final Map<String, Tensor> ENDLESS =
      Collections.singletonMap("x", Tensor.allocate(DataType.FLOAT32, 4, 4));

  /** Keeps what the callback gets, and the thread it came on. */
  private static final class Kept implements RunCallback {
    final CountDownLatch done = new CountDownLatch(1);
    final AtomicInteger calls = new AtomicInteger();
    Map<String, Tensor> outputs;
    TealightException error;
    Thread thread;

    @Override
    public void onResult(Map<String, Tensor> outputs, TealightException error) {
      this.outputs = outputs;
      this.error = error;
      thread = Thread.currentThread();
      calls.incrementAndGet();
      done.countDown();
    }

    Kept await() throws InterruptedException {
      assertTrue("no callback", done.await(20, TimeUnit.SECONDS));
      return this;
    }
  }

  @Test
  public void callsBackOnTheExecutor() throws InterruptedException {
    ExecutorService executor = Executors.newSingleThreadExecutor(task -> new Thread(task, "main thread"));
    try (Model model = Recordings.model("float32"); Session session = model.newSession()) {
      for (int i = 0; i < 10; ++i) {
        Kept kept = new Kept();
        session.runAsync(SMALL, executor, kept);
        kept.await();
        assertNull(kept.error);
        assertEquals("main thread", kept.thread.getName());
        assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, kept.outputs.get("y").toFloatArray(), 0);
        assertEquals(1, kept.calls.get());
      }
    } finally {
      executor.shutdown();
    }
  }

  @Test
  public void callsBackEvenWhereTheExecutorRefuses() throws InterruptedException {
    try (Model model = Recordings.model("float32"); Session session = model.newSession()) {
      Kept kept = new Kept();
      session.runAsync(SMALL, task -> { throw new RejectedExecutionException("shut down"); }, kept);
      assertNull(kept.await().error);
      assertTrue(kept.thread.getName(), kept.thread.getName().startsWith("tealight-run"));
    }
  }

  @Test
  public void returnsAtOnceAndIsCancelled() throws InterruptedException {
    try (Model model = Recordings.model("endless"); Session session = model.newSession()) {
      Kept kept = new Kept();
      session.runAsync(ENDLESS, Runnable::run, kept);
      SessionTest.assertFails(ErrorCode.BUSY, "session", () -> session.runAsync(ENDLESS, Runnable::run, new Kept()));
      session.cancel();
      assertEquals(ErrorCode.CANCELLED, kept.await().error.getCode());
      assertNull(kept.outputs);
    }
  }

  @Test
  public void closingCancelsAndStillCallsBack() throws InterruptedException {
    int before = NativeHandle.count();
    Kept kept = new Kept();
    try (Model model = Recordings.model("endless"); Session session = model.newSession()) {
      session.runAsync(ENDLESS, Runnable::run, kept);
    }
    assertEquals(ErrorCode.CANCELLED, kept.await().error.getCode());
    assertEquals(before, NativeHandle.count());
  }

  @Test
  public void keepsTheDeadline() throws InterruptedException {
    try (Model model = Recordings.model("endless"); Session session = model.newSession()) {
      session.setDeadline(20, TimeUnit.MILLISECONDS);
      Kept kept = new Kept();
      session.runAsync(ENDLESS, Runnable::run, kept);
      assertEquals(ErrorCode.DEADLINE, kept.await().error.getCode());
    }
  }

  @Test
  public void throwsWhatIsWrongWithTheCall() throws InterruptedException {
    try (Model model = Recordings.model("float32"); Session session = model.newSession()) {
      SessionTest.assertFails(
          ErrorCode.MISSING_INPUT, "'x'", () -> session.runAsync(Collections.emptyMap(), Runnable::run, new Kept()));
      SessionTest.assertFails(ErrorCode.WRONG_SHAPE, "'x'", () -> session.runAsync(ENDLESS, Runnable::run, new Kept()));
      session.close();
      assertThrows(IllegalStateException.class, () -> session.runAsync(SMALL, Runnable::run, new Kept()));
    }
  }

  @Test
  public void completesAFuture() {
    try (Model model = Recordings.model("float32"); Session session = model.newSession()) {
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6},
          SessionFutures.runAsync(session, SMALL).thenApply(y -> y.get("y").toFloatArray()).join(), 0);
    }
  }

  @Test
  public void failsAFuture() {
    try (Model model = Recordings.model("float32"); Session session = model.newSession()) {
      CompletionException e = assertThrows(CompletionException.class, SessionFutures.runAsync(session, ENDLESS)::join);
      assertSame(ErrorCode.WRONG_SHAPE, ((TealightException) e.getCause()).getCode());
      session.close();
      e = assertThrows(CompletionException.class, SessionFutures.runAsync(session, SMALL)::join);
      assertSame(IllegalStateException.class, e.getCause().getClass());
    }
  }

  @Test
  public void cancellingAFutureCancelsItsRunAlone() throws InterruptedException {
    try (Model model = Recordings.model("endless"); Session session = model.newSession()) {
      CompletableFuture<Map<String, Tensor>> first = SessionFutures.runAsync(session, ENDLESS);
      assertTrue(first.cancel(true));
      assertThrows(CancellationException.class, first::join);
      while (session.handle().isRunning()) Thread.sleep(1);
      CompletableFuture<Map<String, Tensor>> second = SessionFutures.runAsync(session, ENDLESS);
      first.cancel(true);
      Thread.sleep(50);
      assertTrue(!second.isDone() && session.handle().isRunning());
      second.cancel(true);
    }
  }
}

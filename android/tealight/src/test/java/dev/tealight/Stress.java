// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Threads that run, cancel, close and reopen the same few sessions at random. Ends with 0 when every result had the
 * recorded bits, every failure was one that somebody asked for, no thread hung and nothing native is left.
 *
 * <p>java dev.tealight.Stress SECONDS THREADS SEED
 */
final class Stress {
  private static final long HANG_SECONDS = 150;

  /** A model that is shared, and what its sessions must give. */
  private static final class Subject {
    final File file;
    final Tensor[] inputs;
    final Tensor[] expected; // null: runs until it is stopped
    final AtomicReference<Model> model = new AtomicReference<>();

    Subject(String name) throws IOException {
      file = Recordings.file(name + "/model.tea");
      boolean endless = !Recordings.file(name + "/0").exists();
      inputs = endless ? new Tensor[] {Tensor.allocate(DataType.FLOAT32, 4, 4)} : Recordings.tensors(name + "/0", "in");
      expected = endless ? null : Recordings.tensors(name + "/0", "out");
      model.set(Model.load(file));
    }

    Model load(Random random) throws IOException {
      switch (random.nextInt(3)) {
        case 0:
          return Model.load(file);
        case 1:
          return Model.load(ByteBuffer.wrap(Files.readAllBytes(file.toPath())));
        default:
          try (InputStream stream = new FileInputStream(file)) {
            return Model.load(stream);
          }
      }
    }

    void check(Tensor[] outputs) {
      if (expected == null)
        throw new AssertionError("an endless run ended");
      RealModelsTest.assertSameBits(file.toString(), expected, outputs);
    }
  }

  /** A session in use by all threads. */
  private static final class Slot {
    final Subject subject;
    final Session session;

    Slot(Subject subject, Random random) {
      this.subject = subject;
      session = subject.model.get().newSession(
          new Session.Options().setThreads(1 + random.nextInt(3)).setProfile(random.nextInt(4) == 0));
      if (subject.expected == null)
        session.setDeadline(1 + random.nextInt(20), TimeUnit.MILLISECONDS);
    }
  }

  private final Subject[] subjects;
  private final AtomicReferenceArray<Slot> slots = new AtomicReferenceArray<>(5);
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final AtomicLong runs = new AtomicLong();
  private final AtomicLong refusals = new AtomicLong();
  private final AtomicLong pending = new AtomicLong();
  private volatile boolean stop;

  private Stress() throws IOException {
    subjects = new Subject[] {new Subject("word"), new Subject("float32"), new Subject("open_batch"),
        new Subject("classification_int8"), new Subject("endless")};
  }

  public static void main(String[] arguments) throws Exception {
    int seconds = Integer.parseInt(arguments[0]);
    int threads = Integer.parseInt(arguments[1]);
    loadAllAtOnce();
    Stress stress = new Stress();
    stress.play(seconds, threads, Long.parseLong(arguments[2]));
    stress.closeAll();
    if (stress.failure.get() != null)
      throw new AssertionError(stress.failure.get());
    System.out.println(stress.runs + " runs, " + stress.refusals
        + " refused or stopped, native objects left: " + NativeHandle.count());
    System.exit(stress.runs.get() > 0 && stress.refusals.get() > 0 && NativeHandle.count() == 0 ? 0 : 1);
  }

  /** The first use of every class, at the same time: their initialisation must not wait in a circle. */
  private static void loadAllAtOnce() throws InterruptedException {
    Runnable[] uses = {Tealight::getVersion,
        ()
            -> Tensor.allocate(DataType.FLOAT32, 1),
        () -> Recordings.model("float32").close(), () -> Recordings.model("word").newSession().close()};
    Thread[] threads = new Thread[uses.length];
    for (int i = 0; i < uses.length; ++i) {
      threads[i] = new Thread(uses[i], "load-" + i);
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join(TimeUnit.SECONDS.toMillis(HANG_SECONDS));
      if (thread.isAlive())
        hang();
    }
  }

  private void play(int seconds, int count, long seed) throws InterruptedException {
    Random random = new Random(seed);
    for (int i = 0; i < slots.length(); ++i) slots.set(i, new Slot(subjects[i % subjects.length], random));
    Thread[] threads = new Thread[count];
    for (int i = 0; i < count; ++i) {
      Random own = new Random(seed + i + 1);
      threads[i] = new Thread(() -> act(own), "stress-" + i);
      threads[i].start();
    }
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (System.nanoTime() < end && failure.get() == null) Thread.sleep(20);
    stop = true;
    long last = System.nanoTime() + TimeUnit.SECONDS.toNanos(HANG_SECONDS);
    for (Thread thread : threads) {
      thread.join(Math.max(1, (last - System.nanoTime()) / 1_000_000));
      if (thread.isAlive())
        hang();
    }
    while (pending.get() > 0) {
      if (System.nanoTime() > last)
        hang();
      Thread.sleep(5);
    }
  }

  private static void hang() {
    for (Map.Entry<Thread, StackTraceElement[]> entry : Thread.getAllStackTraces().entrySet()) {
      System.out.println(entry.getKey() + "\n  " + Arrays.toString(entry.getValue()));
    }
    System.out.println("a thread hangs");
    System.exit(2);
  }

  private void act(Random random) {
    while (!stop && failure.get() == null) {
      Slot slot = slots.get(random.nextInt(slots.length()));
      try {
        step(slot, random);
      } catch (TealightException e) {
        boolean wanted = e.getCode() == ErrorCode.BUSY || e.getCode() == ErrorCode.CANCELLED
            || (e.getCode() == ErrorCode.DEADLINE && slot.subject.expected == null);
        if (!wanted)
          failure.compareAndSet(null, e);
        refusals.incrementAndGet();
      } catch (IllegalStateException e) {
        if (!e.getMessage().contains("closed"))
          failure.compareAndSet(null, e);
        refusals.incrementAndGet();
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
      }
    }
  }

  private void step(Slot slot, Random random) throws IOException {
    Subject subject = slot.subject;
    int dice = random.nextInt(100);
    if (dice < 40) {
      finished(subject, slot.session.run(subject.inputs));
    } else if (dice < 55 && subject.expected != null) {
      Tensor[] outputs = new Tensor[subject.expected.length];
      for (int i = 0; i < outputs.length; ++i) {
        outputs[i] = Tensor.allocate(subject.expected[i].getDataType(), subject.expected[i].getShape());
      }
      slot.session.run(subject.inputs, outputs);
      finished(subject, outputs);
    } else if (dice < 65) {
      runAsync(slot);
    } else if (dice < 70) {
      future(slot, random);
    } else if (dice < 85) {
      slot.session.cancel();
    } else if (dice < 90) {
      slot.session.getMemory();
      slot.session.getProfile();
    } else if (dice < 98) {
      Slot old =
          slots.getAndSet(random.nextInt(slots.length()), new Slot(subjects[random.nextInt(subjects.length)], random));
      if (dice > 90)
        old.session.close(); // otherwise the garbage collector finds it
    } else {
      Model old = subject.model.getAndSet(subject.load(random));
      if (dice > 98)
        old.close();
    }
  }

  private void finished(Subject subject, Tensor[] outputs) {
    subject.check(outputs);
    runs.incrementAndGet();
  }

  private static Map<String, Tensor> named(Slot slot) {
    return Collections.singletonMap(slot.session.getInputs().get(0).getName(), slot.subject.inputs[0]);
  }

  private void runAsync(Slot slot) {
    pending.incrementAndGet();
    boolean begun = false;
    try {
      slot.session.runAsync(named(slot), Runnable::run, (outputs, error) -> {
        try {
          if (outputs != null)
            finished(slot.subject, outputs.values().toArray(new Tensor[0]));
        } catch (Throwable e) {
          failure.compareAndSet(null, e);
        }
        pending.decrementAndGet();
      });
      begun = true;
    } finally {
      if (!begun)
        pending.decrementAndGet();
    }
  }

  private void future(Slot slot, Random random) {
    java.util.concurrent.CompletableFuture<Map<String, Tensor>> future =
        SessionFutures.runAsync(slot.session, named(slot));
    if (random.nextBoolean())
      future.cancel(true);
    try {
      finished(slot.subject, future.join().values().toArray(new Tensor[0]));
    } catch (java.util.concurrent.CancellationException e) {
      refusals.incrementAndGet();
    } catch (java.util.concurrent.CompletionException e) {
      throw (RuntimeException) e.getCause();
    }
  }

  private void closeAll() throws InterruptedException {
    for (int i = 0; i < slots.length(); ++i) slots.getAndSet(i, null).session.close();
    for (Subject subject : subjects) subject.model.getAndSet(null).close();
    for (int i = 0; i < 500 && NativeHandle.count() > 0; ++i) {
      System.gc();
      Thread.sleep(10);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Arrays;

/**
 * Counts what a run into the caller's tensors allocates, where tests/models/count_allocations.c is preloaded: prints
 * calls of the C allocator and bytes of the Java heap per run.
 *
 * <p>java dev.tealight.Allocations COUNTER NAME...
 */
final class Allocations {
  private static final int BATCHES = 21;
  private static final int RUNS = 20;

  private Allocations() {}

  private static native long callsOfThread();

  public static void main(String[] arguments) throws IOException {
    System.load(arguments[0]);
    for (String name : Arrays.copyOfRange(arguments, 1, arguments.length)) {
      try (Model model = Recordings.model(name); Session session = model.newSession()) {
        Tensor[] inputs = Recordings.tensors(name + "/0", "in");
        Tensor[] outputs = Recordings.tensors(name + "/0", "out");
        System.out.println(name + " " + medians(session, inputs, outputs));
      }
    }
    long before = callsOfThread();
    new Thread().start(); // the control: what the counter must see
    System.out.println("control " + (callsOfThread() - before));
  }

  // Of batches, because the JVM itself may allocate on this thread now and then.
  private static String medians(Session session, Tensor[] inputs, Tensor[] outputs) {
    com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long thread = Thread.currentThread().getId();
    long[] calls = new long[BATCHES];
    long[] bytes = new long[BATCHES];
    for (int batch = 0; batch < BATCHES; ++batch) {
      long callsBefore = callsOfThread();
      long bytesBefore = threads.getThreadAllocatedBytes(thread);
      for (int i = 0; i < RUNS; ++i) session.run(inputs, outputs);
      bytes[batch] = threads.getThreadAllocatedBytes(thread) - bytesBefore;
      calls[batch] = callsOfThread() - callsBefore;
    }
    Arrays.sort(calls);
    Arrays.sort(bytes);
    return calls[BATCHES / 2] / (double) RUNS + " " + bytes[BATCHES / 2] / (double) RUNS;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Runs with a {@link CompletableFuture}, in a class of its own because Android has those since API level 24.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   TensorInfo image = session.getInputs().get(0);
 *   Tensor pixels = Tensor.allocate(image.getDataType(), image.getShape());
 *   System.out.println(SessionFutures.runAsync(session, Collections.singletonMap(image.getName(), pixels)).join());
 * }
 * }</pre>
 */
public final class SessionFutures {
  private SessionFutures() {}

  /**
   * Runs on a thread of the library and returns at once. The future gets new tensors by name, or whatever {@link
   * Session#run(Map)} would throw; cancelling it cancels the run.
   *
   * @param inputs by name; not to be written before the future is done
   */
  public static CompletableFuture<Map<String, Tensor>> runAsync(Session session, Map<String, Tensor> inputs) {
    RunFuture future = new RunFuture();
    try {
      future.run = session.prepare(inputs);
      RunThreads.start(future.run, future, future);
    } catch (RuntimeException e) {
      future.completeExceptionally(e);
    }
    return future;
  }

  private static final class RunFuture extends CompletableFuture<Map<String, Tensor>> implements Executor, RunCallback {
    private @Nullable Run run;

    @Override
    public boolean cancel(boolean mayInterrupt) {
      if (run != null)
        run.cancel();
      return super.cancel(mayInterrupt);
    }

    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    public void onResult(@Nullable Map<String, Tensor> outputs, @Nullable TealightException error) {
      if (error != null) {
        completeExceptionally(error);
      } else {
        complete(outputs);
      }
    }
  }
}

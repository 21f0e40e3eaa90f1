// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Gets the result of {@link Session#runAsync}.
 *
 * <pre>{@code
 * CountDownLatch done = new CountDownLatch(1);
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   TensorInfo image = session.getInputs().get(0);
 *   Tensor pixels = Tensor.allocate(image.getDataType(), image.getShape());
 *   session.runAsync(Collections.singletonMap(image.getName(), pixels), Runnable::run, (outputs, error) -> {
 *     System.out.println(error == null ? outputs : error.getMessage());
 *     done.countDown();
 *   });
 *   done.await();  // an app goes on instead, and closes when it needs the model no more
 * }
 * }</pre>
 */
public interface RunCallback {
  /**
   * Called once.
   *
   * @param outputs new tensors by name, null when the run failed
   * @param error why the run failed, null when it did not
   */
  void onResult(@Nullable Map<String, Tensor> outputs, @Nullable TealightException error);
}

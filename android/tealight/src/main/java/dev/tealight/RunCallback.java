// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Gets the result of {@link Session#runAsync}.
 *
 * <pre>{@code
 * RunCallback show = (outputs, error) -> System.out.println(error == null ? outputs : error.getMessage());
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   TensorInfo image = session.getInputs().get(0);
 *   Tensor pixels = Tensor.allocate(image.getDataType(), image.getShape());
 *   session.runAsync(Collections.singletonMap(image.getName(), pixels), Runnable::run, show);
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

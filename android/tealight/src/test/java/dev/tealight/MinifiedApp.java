// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.File;

/** An app that uses little of the library: shrunk and renamed with the consumer rules, it must still run. */
public final class MinifiedApp {
  private MinifiedApp() {}

  public static void main(String[] arguments) {
    Session.Options options = new Session.Options().setLog((level, message) -> System.out.println(level));
    try (Model model = Model.load(new File(arguments[0])); Session session = model.newSession(options)) {
      float[] y = session.run(Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3))[0].toFloatArray();
      System.out.println("second element " + y[1] + ", TensorInfo is " + TensorInfo.class.getSimpleName());
      session.run(Tensor.allocate(DataType.FLOAT32, 9));
    } catch (TealightException e) {
      System.out.println(e.getCode() + ": " + e.getMessage());
    }
  }
}

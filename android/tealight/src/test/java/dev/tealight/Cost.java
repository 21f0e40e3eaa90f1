// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.File;
import java.io.IOException;
import java.util.Arrays;

/**
 * What Java adds to a run: one session is run by turns from here and through the C API, on the same memory. Prints the
 * medians in nanoseconds and the median of the pairs' ratios.
 *
 * <p>java dev.tealight.Cost LIBRARY_OF_RUN_IN_C BUNDLE THREADS PAIRS
 */
final class Cost {
  private Cost() {}

  private static native long runInC(long session);

  public static void main(String[] arguments) throws IOException {
    System.load(arguments[0]);
    int pairs = Integer.parseInt(arguments[3]);
    try (Model model = Model.load(new File(arguments[1]));
        Session session = model.newSession(new Session.Options().setThreads(Integer.parseInt(arguments[2])))) {
      Tensor[] inputs = tensors(session.inputs());
      Tensor[] outputs = tensors(session.outputs());
      double[] java = new double[pairs];
      double[] c = new double[pairs];
      double[] ratios = new double[pairs];
      for (int i = -pairs / 4; i < pairs; ++i) { // a quarter more to warm up
        long start = System.nanoTime();
        session.run(inputs, outputs);
        long taken = System.nanoTime() - start;
        long address = session.handle().begin(inputs);
        long takenInC = runInC(address);
        session.handle().end();
        if (takenInC < 0)
          throw new AssertionError("the run through C failed");
        if (i < 0)
          continue;
        java[i] = taken;
        c[i] = takenInC;
        ratios[i] = taken / (double) takenInC;
      }
      System.out.println(median(c) + " " + median(java) + " " + median(ratios));
    }
  }

  private static Tensor[] tensors(TensorInfo[] infos) {
    Tensor[] tensors = new Tensor[infos.length];
    for (int i = 0; i < infos.length; ++i) tensors[i] = Tensor.allocate(infos[i].getDataType(), infos[i].getShape());
    return tensors;
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * The times of one instruction, of a session with {@link Session.Options#setProfile}.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea"));
 *     Session session = model.newSession(new Session.Options().setProfile(true))) {
 *   TensorInfo image = model.getInputs().get(0);
 *   session.run(Tensor.allocate(image.getDataType(), image.getShape()));
 *   for (ProfileRow row : session.getProfile()) {
 *     System.out.println(row.getName() + " " + row.getTotalNanos() / row.getRuns() + " ns");
 *   }
 * }
 * }</pre>
 */
public final class ProfileRow {
  private final String name;
  private final String op;
  private final int instruction;
  private final long runs;
  private final long totalNanos;
  private final long minNanos;

  // numbers, from offset: instruction, runs, total, min.
  ProfileRow(String name, String op, long[] numbers, int offset) {
    this.name = name;
    this.op = op;
    instruction = (int) numbers[offset];
    runs = numbers[offset + 1];
    totalNanos = numbers[offset + 2];
    minNanos = numbers[offset + 3];
  }

  /** Returns the index in the program. */
  public int getInstruction() {
    return instruction;
  }

  /** Returns the name of the source model's node. */
  public String getName() {
    return name;
  }

  public String getOp() {
    return op;
  }

  public long getRuns() {
    return runs;
  }

  /** Returns the time of all runs together. */
  public long getTotalNanos() {
    return totalNanos;
  }

  /** Returns the time of the fastest run. */
  public long getMinNanos() {
    return minNanos;
  }

  @Override
  public String toString() {
    return instruction + " " + op + " '" + name + "': " + runs + " runs, " + totalNanos + " ns";
  }
}

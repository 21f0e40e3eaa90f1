// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * What a session needs, in bytes; exact before the first run where all shapes are fixed.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   MemoryUse use = session.getMemory();
 *   System.out.println(use.getArenaBytes() + " bytes of activations, exact: " + use.isExact());
 * }
 * }</pre>
 */
public final class MemoryUse {
  private final long arenaBytes;
  private final long scratchBytes;
  private final long weightsBytes;
  private final long stateBytes;
  private final boolean exact;

  // In the order of tl_memory.
  MemoryUse(long[] values) {
    arenaBytes = values[0];
    scratchBytes = values[1];
    weightsBytes = values[2];
    stateBytes = values[3];
    exact = values[4] != 0;
  }

  /** Returns the bytes of activations. */
  public long getArenaBytes() {
    return arenaBytes;
  }

  /** Returns the bytes that kernels work in. */
  public long getScratchBytes() {
    return scratchBytes;
  }

  /** Returns the bytes of weights: mapped from the file, shared between sessions and processes. */
  public long getWeightsBytes() {
    return weightsBytes;
  }

  /** Returns the bytes of the session's own tables. */
  public long getStateBytes() {
    return stateBytes;
  }

  /** Returns whether the figures hold for every run; otherwise they are those of the last one. */
  public boolean isExact() {
    return exact;
  }

  @Override
  public String toString() {
    return "arena " + arenaBytes + ", scratch " + scratchBytes + ", weights " + weightsBytes + ", state " + stateBytes
        + (exact ? " bytes" : " bytes in the last run");
  }
}

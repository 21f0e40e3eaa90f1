// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * What runs a model.
 *
 * <pre>{@code
 * Session.Options options = new Session.Options().setBackend(Backend.CPU);
 * System.out.println(options);
 * }</pre>
 */
public enum Backend {
  // In the order of tl_backend.
  /** The best that the phone has for the model. */
  AUTO,
  CPU
}

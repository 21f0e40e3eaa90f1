// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * Which of a phone's cores a session uses.
 *
 * <pre>{@code
 * Session.Options options = new Session.Options().setPowerMode(PowerMode.SAVING);
 * System.out.println(options);
 * }</pre>
 */
public enum PowerMode {
  // In the order of tl_power_mode.
  /** Big cores; by default at most four threads. */
  BALANCED,
  /** Big cores; by default a thread for each. */
  PERFORMANCE,
  /** Little cores; by default one thread. */
  SAVING
}

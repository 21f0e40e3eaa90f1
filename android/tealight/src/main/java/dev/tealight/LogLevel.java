// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * How grave a message for a {@link LogCallback} is.
 *
 * <pre>{@code
 * LogCallback log = (level, message) -> {
 *   if (level.compareTo(LogLevel.WARNING) >= 0) System.out.println(message);
 * };
 * System.out.println(new Session.Options().setLog(log));
 * }</pre>
 */
public enum LogLevel {
  // In the order of tl_log_level.
  INFO,
  WARNING,
  ERROR
}

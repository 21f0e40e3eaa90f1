// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * Is told what a session chose, see {@link Session.Options#setLog}.
 *
 * <pre>{@code
 * LogCallback log = (level, message) -> System.out.println(level + " " + message);
 * try (Model model = Model.load(new File("model.tea"));
 *     Session session = model.newSession(new Session.Options().setLog(log))) {
 *   System.out.println(session.getMemory());
 * }
 * }</pre>
 */
public interface LogCallback {
  /** Called on the thread that makes the session; what it throws is thrown there. */
  void onMessage(LogLevel level, String message);
}

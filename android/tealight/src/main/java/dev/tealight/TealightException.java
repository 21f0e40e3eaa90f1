// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * A bundle, tensor or run that does not work, with a code to decide by and a message to read.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   session.run(Tensor.allocate(DataType.INT8, 1));
 * } catch (TealightException e) {
 *   System.out.println(e.getCode() + " (" + e.getNativeCode() + "): " + e.getMessage());
 * }
 * }</pre>
 *
 * <p>Misuse of Java itself has Java's own exceptions: {@link IllegalStateException} for something that is
 * closed, {@link IllegalArgumentException} for a buffer that cannot be used, {@link NullPointerException}.
 */
public final class TealightException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int nativeCode;

  // Called by jni_util.cc.
  TealightException(int nativeCode, String message) {
    super(message);
    this.nativeCode = nativeCode;
  }

  TealightException(ErrorCode code, String message) {
    this(code.nativeValue, message);
  }

  /** Returns why, {@link ErrorCode#UNKNOWN} when the native library is newer than these classes. */
  public ErrorCode getCode() {
    return ErrorCode.of(nativeCode);
  }

  /** Returns the number of the code in tealight.h. */
  public int getNativeCode() {
    return nativeCode;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * Why a {@link TealightException} was thrown.
 *
 * <pre>{@code
 * try {
 *   Model.load(new File("not-there.tea"));
 * } catch (TealightException e) {
 *   if (e.getCode() == ErrorCode.IO) System.out.println("download it first");
 * }
 * }</pre>
 */
public enum ErrorCode {
  // 1xx: the caller's mistake. The numbers are those of tl_status in tealight.h.
  INVALID_ARGUMENT(100),
  WRONG_DTYPE(101),
  WRONG_SHAPE(102),
  NOT_FOUND(103),
  MISSING_INPUT(104),
  // 2xx: the bundle
  IO(200),
  INVALID_BUNDLE(201),
  UNSUPPORTED_VERSION(202),
  UNSUPPORTED_OP(203),
  // 3xx: while running
  OUT_OF_MEMORY(300),
  CANCELLED(301),
  DEADLINE(302),
  RUNTIME(303),
  BUSY(304),
  /** A code that this version of the Java classes does not know; see {@link TealightException#getNativeCode}. */
  UNKNOWN(-1);

  final int nativeValue;

  ErrorCode(int nativeValue) {
    this.nativeValue = nativeValue;
  }

  static ErrorCode of(int nativeValue) {
    for (ErrorCode code : values()) {
      if (code.nativeValue == nativeValue)
        return code;
    }
    return UNKNOWN;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * What the elements of a tensor are.
 *
 * <pre>{@code
 * DataType type = DataType.INT16;
 * System.out.println(type + ": " + type.byteSize(1000) + " bytes for 1000 elements");
 * }</pre>
 */
public enum DataType {
  // The numbers are those of tl_dtype in tealight.h.
  FLOAT32(1, 32),
  FLOAT16(2, 16),
  FLOAT64(3, 64),
  INT8(4, 8),
  UINT8(5, 8),
  INT16(6, 16),
  UINT16(7, 16),
  INT32(8, 32),
  UINT32(9, 32),
  INT64(10, 64),
  UINT64(11, 64),
  BOOL(12, 8),
  BFLOAT16(13, 16),
  INT4(14, 4),
  UINT4(15, 4);

  private static final DataType[] VALUES = values();

  final int nativeValue;
  private final int bits;

  DataType(int nativeValue, int bits) {
    this.nativeValue = nativeValue;
    this.bits = bits;
  }

  /** Returns the bytes that so many elements take; two elements of 4 bits share a byte. */
  public long byteSize(long elementCount) {
    return (elementCount * bits + 7) / 8;
  }

  /** Returns the bytes of one element, which its memory is aligned to; 1 for elements of 4 bits. */
  public int getByteSize() {
    return (bits + 7) / 8;
  }

  static DataType of(long nativeValue) {
    if (nativeValue < 1 || nativeValue > VALUES.length) {
      throw new IllegalStateException("dtype: " + nativeValue + ", expected 1 to " + VALUES.length);
    }
    return VALUES[(int) nativeValue - 1];
  }
}

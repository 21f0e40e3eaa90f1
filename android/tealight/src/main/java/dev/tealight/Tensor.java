// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A dense row-major tensor in direct memory, which runs read and write in place.
 *
 * <pre>{@code
 * Tensor tensor = Tensor.of(new float[] {1, 2, 3, 4}, 2, 2);
 * tensor.getBuffer().putFloat(3 * 4, 5);  // the last element
 * System.out.println(tensor + " " + Arrays.toString(tensor.toFloatArray()));
 * }</pre>
 *
 * <p>The elements are reached through {@link #getBuffer} and its views ({@code getBuffer().asFloatBuffer()}). Nothing
 * is closed: the memory is the buffer's. Not to be written while a run uses it.
 */
public final class Tensor {
  private static final int ALIGNMENT = 64; // what kernels like best
  private static final int MAX_RANK = 8;
  private static final long TOO_MANY = 1L << 32; // elements, whatever they are; times a dim it still is a long

  private final ByteBuffer buffer; // direct, of native order, position 0
  private final DataType dataType;
  private final int[] shape;
  final long address;

  private Tensor(ByteBuffer buffer, DataType dataType, int[] shape) {
    this.buffer = buffer;
    this.dataType = dataType;
    this.shape = shape;
    this.address = addressOf(buffer);
  }

  /** Returns a tensor of zeros. */
  public static Tensor allocate(DataType dataType, int... shape) {
    int bytes = byteSize(dataType, shape);
    return new Tensor(allocateAligned(bytes), dataType, shape.clone());
  }

  /** Returns a tensor with a copy of the values. */
  public static Tensor of(float[] values, int... shape) {
    Tensor tensor = allocate(DataType.FLOAT32, shape);
    if (tensor.byteSize() != 4L * values.length) {
      throw new IllegalArgumentException(
          "values: " + values.length + ", expected " + tensor.byteSize() / 4 + " for shape " + Arrays.toString(shape));
    }
    tensor.buffer.asFloatBuffer().put(values);
    return tensor;
  }

  /**
   * Returns a tensor over what remains of a direct buffer; both see the same memory.
   *
   * @throws IllegalArgumentException the buffer is not direct, not of native byte order, not aligned to the element
   *     size or not of the tensor's size
   */
  public static Tensor wrap(ByteBuffer buffer, DataType dataType, int... shape) {
    int bytes = byteSize(dataType, shape);
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("buffer: on the heap, expected a direct one; use ByteBuffer.allocateDirect");
    }
    if (buffer.order() != ByteOrder.nativeOrder() && dataType.getByteSize() > 1) {
      throw new IllegalArgumentException("buffer: " + buffer.order() + ", expected " + ByteOrder.nativeOrder()
          + "; call buffer.order(ByteOrder.nativeOrder()) before filling it");
    }
    if (buffer.remaining() != bytes) {
      throw new IllegalArgumentException("buffer: " + buffer.remaining() + " bytes remain, expected " + bytes + " for "
          + dataType + Arrays.toString(shape));
    }
    Tensor tensor = new Tensor(buffer.slice().order(ByteOrder.nativeOrder()), dataType, shape.clone());
    if (tensor.address % dataType.getByteSize() != 0) {
      throw new IllegalArgumentException(
          "buffer: not aligned, expected its first byte at a multiple of " + dataType.getByteSize());
    }
    return tensor;
  }

  /** Returns a buffer of native byte order over the elements: position 0, the limit at their end. */
  public ByteBuffer getBuffer() {
    return buffer.duplicate().order(ByteOrder.nativeOrder());
  }

  /**
   * Returns a copy of the elements.
   *
   * @throws TealightException {@link ErrorCode#WRONG_DTYPE} unless they are {@link DataType#FLOAT32}
   */
  public float[] toFloatArray() {
    if (dataType != DataType.FLOAT32) {
      throw new TealightException(ErrorCode.WRONG_DTYPE, "tensor: " + dataType + ", expected FLOAT32; use getBuffer()");
    }
    float[] values = new float[buffer.capacity() / 4];
    getBuffer().asFloatBuffer().get(values);
    return values;
  }

  public DataType getDataType() {
    return dataType;
  }

  /** Returns a copy of the dims. */
  public int[] getShape() {
    return shape.clone();
  }

  public int getByteSize() {
    return buffer.capacity();
  }

  @Override
  public String toString() {
    return dataType + Arrays.toString(shape);
  }

  // The dims themselves: not to be changed.
  int[] shape() {
    return shape;
  }

  long byteSize() {
    return buffer.capacity();
  }

  boolean isReadOnly() {
    return buffer.isReadOnly();
  }

  static long addressOf(Buffer buffer) {
    Tealight.load();
    return nativeAddress(buffer);
  }

  /** Returns a direct buffer that begins at a multiple of 64 bytes, as bundles must; kernels like it too. */
  static ByteBuffer allocateAligned(int bytes) {
    ByteBuffer whole;
    try {
      whole = ByteBuffer.allocateDirect(bytes + ALIGNMENT);
    } catch (OutOfMemoryError e) {
      throw new TealightException(ErrorCode.OUT_OF_MEMORY, "buffer: no memory for " + bytes + " bytes, expected some");
    }
    int start = (int) (-addressOf(whole) & (ALIGNMENT - 1));
    ((Buffer) whole).position(start).limit(start + bytes);
    return whole.slice().order(ByteOrder.nativeOrder());
  }

  private static int byteSize(DataType dataType, int[] shape) {
    if (shape.length > MAX_RANK) {
      throw new IllegalArgumentException("shape: " + shape.length + " dims, expected at most " + MAX_RANK);
    }
    long elements = 1;
    for (int dim : shape) {
      if (dim < 0) {
        throw new IllegalArgumentException("shape: " + Arrays.toString(shape) + ", expected dims of 0 or more");
      }
      elements = Math.min(elements * dim, TOO_MANY);
    }
    long bytes = dataType.byteSize(elements);
    if (bytes > Integer.MAX_VALUE - ALIGNMENT) {
      throw new IllegalArgumentException(
          "shape: " + Arrays.toString(shape) + " takes more than 2 GiB, expected what a buffer can hold");
    }
    return (int) bytes;
  }

  private static native long nativeAddress(Buffer buffer);
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.Test;

public class TensorTest {
  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static void assertRefused(String message, ByteBuffer buffer, DataType type, int... shape) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Tensor.wrap(buffer, type, shape));
    assertTrue(e.getMessage(), e.getMessage().contains(message));
  }

  @Test
  public void allocatesZeros() {
    Tensor tensor = Tensor.allocate(DataType.INT16, 2, 3);
    assertEquals(12, tensor.getByteSize());
    assertArrayEquals(new int[] {2, 3}, tensor.getShape());
    assertArrayEquals(new byte[12], Recordings.bytes(tensor));
    assertEquals("INT16[2, 3]", tensor.toString());
  }

  @Test
  public void wrapsWithoutACopy() {
    ByteBuffer buffer = direct(16);
    buffer.position(4);
    Tensor tensor = Tensor.wrap(buffer, DataType.FLOAT32, 3);
    buffer.putFloat(8, 2.5f);
    assertArrayEquals(new float[] {0, 2.5f, 0}, tensor.toFloatArray(), 0);
    tensor.getBuffer().putFloat(8, 7);
    assertEquals(7, buffer.getFloat(12), 0);
    assertEquals(4, buffer.position());
  }

  @Test
  public void everyTypeHasItsSize() {
    int[] bits = {32, 16, 64, 8, 8, 16, 16, 32, 32, 64, 64, 8, 16, 4, 4};
    for (DataType type : DataType.values()) {
      assertEquals(type.ordinal() + 1, type.nativeValue);
      assertEquals(type, DataType.of(type.nativeValue));
      assertEquals((7 * bits[type.ordinal()] + 7) / 8, Tensor.allocate(type, 7).getByteSize());
    }
    assertThrows(IllegalStateException.class, () -> DataType.of(0));
    assertThrows(IllegalStateException.class, () -> DataType.of(99));
  }

  @Test
  public void scalarsAndEmptyTensorsExist() {
    assertEquals(8, Tensor.allocate(DataType.INT64).getByteSize());
    assertEquals(0, Tensor.allocate(DataType.INT64, 3, 0, Integer.MAX_VALUE, Integer.MAX_VALUE).getByteSize());
  }

  @Test
  public void refusesAHeapBuffer() {
    assertRefused("on the heap", ByteBuffer.allocate(4).order(ByteOrder.nativeOrder()), DataType.FLOAT32, 1);
  }

  @Test
  public void refusesTheOtherByteOrder() {
    ByteBuffer swapped = ByteBuffer.allocateDirect(4).order(
        ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
    assertRefused("_ENDIAN, expected", swapped, DataType.FLOAT32, 1);
    assertEquals(4, Tensor.wrap(swapped, DataType.UINT8, 4).getByteSize()); // bytes have no order
  }

  @Test
  public void refusesAnotherSize() {
    assertRefused("12 bytes remain, expected 16", direct(12), DataType.FLOAT32, 4);
    assertRefused("12 bytes remain, expected 8", direct(12), DataType.FLOAT32, 2);
  }

  @Test
  public void refusesUnalignedMemory() {
    ByteBuffer buffer = direct(17);
    buffer.position(1);
    assertRefused("not aligned", buffer, DataType.FLOAT32, 4);
  }

  @Test
  public void refusesImpossibleShapes() {
    assertRefused("expected dims of 0 or more", direct(4), DataType.FLOAT32, -1);
    assertRefused("more than 2 GiB", direct(4), DataType.FLOAT32, 1 << 15, 1 << 15);
    assertRefused("more than 2 GiB", direct(4), DataType.INT8, 1 << 30, 1 << 30, 1 << 30, 1 << 30);
    assertRefused("9 dims", direct(4), DataType.INT8, 1, 1, 1, 1, 1, 1, 1, 1, 4);
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[3], 2));
  }

  @Test
  public void refusesWhatDoesNotFitInMemory() {
    // -XX:MaxDirectMemorySize of the tests is below this.
    TealightException e = assertThrows(TealightException.class, () -> Tensor.allocate(DataType.INT8, 1 << 30, 1));
    assertEquals(ErrorCode.OUT_OF_MEMORY, e.getCode());
  }

  @Test
  public void onlyFloatsBecomeFloats() {
    TealightException e =
        assertThrows(TealightException.class, () -> Tensor.allocate(DataType.INT32, 1).toFloatArray());
    assertEquals(ErrorCode.WRONG_DTYPE, e.getCode());
  }
}

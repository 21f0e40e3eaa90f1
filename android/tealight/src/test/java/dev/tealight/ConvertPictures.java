// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import com.sun.management.ThreadMXBean;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

/**
 * Writes the inputs that pictures become. Arguments: a bundle, a file of ARGB values, their width and height, and the
 * file to write, for each picture. What is thrown is printed.
 */
public final class ConvertPictures {
  private static final int BATCHES = 5;
  private static final int REPEATS = 40;
  private static final int LEAST_OBJECT_BYTES = 16;

  private ConvertPictures() {}

  public static void main(String[] arguments) throws IOException {
    for (int i = 0; i < arguments.length; i += 5) {
      int width = Integer.parseInt(arguments[i + 2]);
      int height = Integer.parseInt(arguments[i + 3]);
      try (Model model = Model.load(new File(arguments[i]))) {
        write(convert(new ImageConverter(model), pixels(arguments[i + 1]), width, height), arguments[i + 4]);
      } catch (RuntimeException e) {
        System.out.println(arguments[i + 4] + ": " + e.getClass().getSimpleName() + ": " + e.getMessage());
      }
    }
  }

  /** Converts other pictures first, in the other way of giving them: nothing of them may be left. */
  private static Tensor convert(ImageConverter converter, final int[] pixels, final int width, int height) {
    ImageConverter.Rows rows = new ImageConverter.Rows() {
      @Override
      public void read(int y, int[] argb) {
        System.arraycopy(pixels, y * width, argb, 0, width);
      }
    };
    if (height > 1)
      converter.convert(rows, width, height - 1);
    converter.convert(new int[] {-1}, 1, 1);
    Tensor first = converter.convert(rows, width, height);
    ByteBuffer kept = ByteBuffer.allocate(first.getByteSize());
    kept.put(first.getBuffer());
    int[] before = pixels.clone();
    Tensor second = converter.convert(pixels, width, height);
    long bytes = leastAllocated(converter, pixels, width, height);
    if (bytes >= REPEATS * LEAST_OBJECT_BYTES) {
      throw new AssertionError(
          "allocated " + bytes + " bytes for " + REPEATS + " pictures, expected no object for each");
    }
    if (second != first || !kept.flip().equals(second.getBuffer()) || !Arrays.equals(before, pixels)) {
      throw new AssertionError("rows and array: differ, expected the same tensor, and the pixels left alone");
    }
    return second;
  }

  /** Of some batches, because the JVM itself may allocate on this thread now and then. */
  private static long leastAllocated(ImageConverter converter, int[] pixels, int width, int height) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long thread = Thread.currentThread().getId();
    long least = Long.MAX_VALUE;
    for (int batch = 0; batch < BATCHES; ++batch) {
      long before = threads.getThreadAllocatedBytes(thread);
      for (int i = 0; i < REPEATS; ++i) converter.convert(pixels, width, height);
      least = Math.min(least, threads.getThreadAllocatedBytes(thread) - before);
    }
    return least;
  }

  private static int[] pixels(String file) throws IOException {
    IntBuffer values =
        ByteBuffer.wrap(Files.readAllBytes(Paths.get(file))).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    int[] pixels = new int[values.remaining()];
    values.get(pixels);
    return pixels;
  }

  private static void write(Tensor tensor, String file) throws IOException {
    try (FileChannel channel = new FileOutputStream(file).getChannel()) {
      channel.write(tensor.getBuffer());
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A loaded bundle: immutable, shared by any number of sessions and threads.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea"));
 *     Session session = model.newSession()) {
 *   TensorInfo image = model.getInputs().get(0);
 *   Tensor[] results = session.run(Tensor.allocate(image.getDataType(), image.getShape()));
 *   System.out.println(model.getOutputs().get(0) + " = " + results[0].toFloatArray()[0]);
 * }
 * }</pre>
 *
 * <p>Loading maps the file and checks it once; weights are used where they lie. Sessions keep what they need, so a
 * model may be closed before them. All methods are thread-safe and throw {@link IllegalStateException} after close().
 */
public final class Model implements AutoCloseable {
  private static final int READ_BYTES = 1 << 16;

  private final Handle handle;

  private Model(long address, @Nullable ByteBuffer memory) {
    handle = new Handle(this, address, memory);
  }

  /**
   * Maps a file, which must not change while the model is open.
   *
   * @throws TealightException the file cannot be read, or is no bundle that this library runs
   */
  public static Model load(File file) {
    return load(file.getPath());
  }

  /** Maps the file at a path, see {@link #load(File)}. */
  public static Model load(String path) {
    Tealight.load();
    return new Model(nativeOpenPath(Tealight.cString(path)), null);
  }

  /**
   * Maps a part of an open file, such as an uncompressed asset of an app; the descriptor may be closed afterwards.
   *
   * @param fd the number of the file descriptor
   * @param offset in bytes
   * @param length in bytes, 0 = to the end
   */
  public static Model load(int fd, long offset, long length) {
    Tealight.load();
    if (offset < 0 || length < 0) {
      throw new IllegalArgumentException("file: offset " + offset + " and length " + length + ", expected 0 or more");
    }
    return new Model(nativeOpenFd(fd, offset, length), null);
  }

  /**
   * Uses what remains of a buffer, which must not change while the model is open. A direct buffer that begins at a
   * multiple of 64 bytes is used in place (a mapped file does), any other is copied.
   */
  public static Model load(ByteBuffer buffer) {
    ByteBuffer memory = buffer.slice();
    if (!memory.isDirect() || Tensor.addressOf(memory) % 64 != 0) {
      memory = Tensor.allocateAligned(buffer.remaining());
      memory.put(buffer.duplicate());
      ((Buffer) memory).clear();
    }
    return new Model(nativeOpenMemory(Tensor.addressOf(memory), memory.capacity()), memory);
  }

  /** Reads a stream to its end and does not close it. A file or descriptor loads faster and shares its memory. */
  public static Model load(InputStream stream) throws IOException {
    byte[] chunk = new byte[READ_BYTES];
    ByteBuffer all = Tensor.allocateAligned(Math.max(stream.available(), READ_BYTES));
    for (int count = stream.read(chunk); count >= 0; count = stream.read(chunk)) {
      if (count > all.remaining()) {
        long twice = Math.min(2L * all.capacity(), Integer.MAX_VALUE - 64);
        if (twice - all.position() < count)
          throw new IOException("stream: 2 GiB or more, expected less; use a file");
        ByteBuffer larger = Tensor.allocateAligned((int) twice);
        ((Buffer) all).flip();
        larger.put(all);
        all = larger;
      }
      all.put(chunk, 0, count);
    }
    ((Buffer) all).flip();
    return load(all);
  }

  /** Returns a session with the default options. */
  public Session newSession() {
    return newSession(new Session.Options());
  }

  /**
   * Returns a session, which owns the memory and threads of runs.
   *
   * @throws TealightException the options cannot be met
   */
  public Session newSession(Session.Options options) {
    return new Session(this, options);
  }

  /** Returns the inputs in order. */
  public List<TensorInfo> getInputs() {
    return infos(0, true);
  }

  /** Returns the outputs in order. */
  public List<TensorInfo> getOutputs() {
    return infos(0, false);
  }

  /** Returns the names of the entry points; sessions run the first one unless told otherwise. */
  public List<String> getEntryPoints() {
    long address = handle.enter();
    try {
      return Collections.unmodifiableList(Arrays.asList(nativeEntryPoints(address)));
    } finally {
      handle.leave();
    }
  }

  /** Returns the texts that the bundle's author gave it. */
  public Map<String, String> getMetadata() {
    long address = handle.enter();
    try {
      String[] texts = nativeMetadata(address);
      Map<String, String> metadata = new LinkedHashMap<>();
      for (int i = 0; i < texts.length; i += 2) metadata.put(texts[i], texts[i + 1]);
      return Collections.unmodifiableMap(metadata);
    } finally {
      handle.leave();
    }
  }

  /** Returns the names of the classes that an output scores, in order; empty when the bundle has none. */
  public List<String> getLabels(String output) {
    long address = handle.enter();
    try {
      return Collections.unmodifiableList(Arrays.asList(nativeLabels(address, Tealight.cString(output))));
    } finally {
      handle.leave();
    }
  }

  /** Returns how inputs are made of pictures; empty when the bundle does not say. */
  public List<ImageInfo> getImages() {
    long address = handle.enter();
    try {
      List<ImageInfo> images = new ArrayList<>();
      for (String input : nativeImageInputs(address)) {
        int i = images.size();
        images.add(new ImageInfo(input, nativeImageNumbers(address, i), nativeImageNormalisation(address, i)));
      }
      return Collections.unmodifiableList(images);
    } finally {
      handle.leave();
    }
  }

  /** Frees the model once its last session is closed; harmless when done already. Never waits. */
  @Override
  public void close() {
    handle.close();
  }

  List<TensorInfo> infos(int entryPoint, boolean inputs) {
    long address = handle.enter();
    try {
      String[] names = nativeTensorNames(address, entryPoint, inputs);
      List<TensorInfo> infos = new ArrayList<>(names.length);
      for (int i = 0; i < names.length; ++i) {
        long[] values = nativeTensorInfo(address, entryPoint, inputs, i);
        int[] shape = new int[values.length - 1];
        for (int j = 0; j < shape.length; ++j) shape[j] = dim(names[i], values[j + 1]);
        infos.add(new TensorInfo(names[i], DataType.of(values[0]), shape));
      }
      return Collections.unmodifiableList(infos);
    } finally {
      handle.leave();
    }
  }

  Handle handle() {
    return handle;
  }

  private static int dim(String name, long dim) {
    if (dim > Integer.MAX_VALUE) {
      throw new TealightException(ErrorCode.WRONG_SHAPE, "'" + name + "': dim " + dim + ", expected less than 2^31");
    }
    return (int) dim;
  }

  /** The native model, and the memory that it reads. */
  static final class Handle extends NativeHandle {
    private final @Nullable ByteBuffer memory;

    Handle(Model model, long address, @Nullable ByteBuffer memory) {
      super(model, "model", address);
      this.memory = memory;
    }

    @Override
    void free(long address) {
      nativeDestroy(address);
    }
  }

  private static native long nativeOpenPath(byte[] path);

  private static native long nativeOpenFd(int fd, long offset, long length);

  private static native long nativeOpenMemory(long address, long bytes);

  private static native void nativeDestroy(long model);

  private static native String[] nativeEntryPoints(long model);

  private static native String[] nativeTensorNames(long model, int entryPoint, boolean inputs);

  // The dtype and the dims.
  private static native long[] nativeTensorInfo(long model, int entryPoint, boolean inputs, int i);

  // Keys and values in turn.
  private static native String[] nativeMetadata(long model);

  private static native String[] nativeLabels(long model, byte[] output);

  private static native String[] nativeImageInputs(long model);

  // Height, width, channels_first and channel_order.
  private static native int[] nativeImageNumbers(long model, int i);

  // The mean of each channel, then the scale of each.
  private static native float[] nativeImageNormalisation(long model, int i);
}

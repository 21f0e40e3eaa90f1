// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Turns pictures into an input of a model, as the bundle says: scaled to the input's size, channels in its order,
 * {@code (pixel - mean) * scale} where the input is float and as they are where it is not. The same picture gives the
 * same bits as in the desktop tools.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   int[] gray = new int[640 * 480];
 *   Arrays.fill(gray, 0xff808080);
 *   ImageConverter converter = new ImageConverter(model);
 *   Tensor[] results = session.run(converter.convert(gray, 640, 480));
 *   System.out.println(results[0]);
 * }
 * }</pre>
 *
 * <p>Every picture goes into the same tensor, and nothing is allocated while pictures keep their size. Belongs to one
 * thread at a time; a new picture may come as soon as the run is over.
 */
public final class ImageConverter {
  /** Gives a picture row by row, for pictures that are not in an array. */
  public interface Rows {
    /** Writes row y as ARGB values from argb[0] on; alpha is ignored. */
    void read(int y, int[] argb);
  }

  private final Tensor tensor;
  private final ByteBuffer byteView;
  private final FloatBuffer floatView;
  private final boolean channelsFirst;
  private final int height;
  private final int width;
  private final int channels;
  private final int[] shifts; // of each channel in an ARGB value
  private final PixelResizer resizer;
  private final float[] normalised; // [channels, 256] value of each pixel value
  private final float[] floats; // what a row of the tensor holds, or a row of one of its planes; this or bytes
  private final byte[] bytes;
  private final int[] result; // a row of the scaled picture
  private int[] source = new int[0]; // a row of the picture

  /**
   * Makes a converter for the model's first input that is a picture.
   *
   * @throws TealightException the bundle has none, or leaves its size open
   */
  public ImageConverter(Model model) {
    this(firstImage(model), newTensor(model, firstImage(model)));
  }

  /**
   * Makes a converter into a tensor of the caller's, [height, width, channels] or [channels, height, width] as info
   * says, perhaps after dims of 1.
   *
   * @throws TealightException the tensor does not fit info, or is none of {@link DataType#FLOAT32}, {@link
   *     DataType#UINT8} and {@link DataType#INT8}
   */
  public ImageConverter(ImageInfo info, Tensor tensor) {
    this.tensor = tensor;
    byteView = tensor.getBuffer();
    floatView = tensor.getBuffer().asFloatBuffer();
    int[] shape = lastDims(info, tensor.shape());
    channelsFirst = info.isChannelsFirst();
    channels = shape[channelsFirst ? 0 : 2];
    height = shape[channelsFirst ? 1 : 0];
    width = shape[channelsFirst ? 2 : 1];
    int rowValues = channelsFirst ? width : width * channels;
    boolean isFloat = tensor.getDataType() == DataType.FLOAT32;
    if (!isFloat && tensor.getDataType() != DataType.UINT8 && tensor.getDataType() != DataType.INT8) {
      throw new TealightException(ErrorCode.WRONG_DTYPE,
          "image '" + info.getInput() + "': " + tensor.getDataType() + ", expected FLOAT32, UINT8 or INT8");
    }
    floats = new float[isFloat ? rowValues : 0];
    bytes = new byte[isFloat ? 0 : rowValues];
    normalised = normalise(info, channels);
    shifts = info.getChannelOrder() == ImageInfo.ChannelOrder.BGR ? new int[] {0, 8, 16} : new int[] {16, 8, 0};
    resizer = new PixelResizer(width, height, info.getChannelOrder() == ImageInfo.ChannelOrder.GRAY);
    result = new int[width];
  }

  /** Returns the tensor that pictures are written to. */
  public Tensor getTensor() {
    return tensor;
  }

  /** Returns the width that pictures are scaled to: one of this size costs the least. */
  public int getWidth() {
    return width;
  }

  /** Returns the height that pictures are scaled to. */
  public int getHeight() {
    return height;
  }

  /**
   * Converts a picture.
   *
   * @param argb [height, width] colours as android.graphics.Color has them; alpha is ignored
   * @return the tensor, with the picture in it
   */
  public Tensor convert(int[] argb, int width, int height) {
    if ((long) width * height > argb.length) {
      throw new IllegalArgumentException(
          "picture: " + argb.length + " pixels, expected " + width + " x " + height + " of them");
    }
    begin(width, height);
    for (int y = 0; y < height; ++y) {
      System.arraycopy(argb, y * width, source, 0, width);
      resizer.putRow(y, source);
    }
    return finish();
  }

  /** Converts a picture that comes row by row, see {@link #convert(int[], int, int)}. */
  public Tensor convert(Rows rows, int width, int height) {
    begin(width, height);
    for (int y = 0; y < height; ++y) {
      rows.read(y, source);
      resizer.putRow(y, source);
    }
    return finish();
  }

  private void begin(int width, int height) {
    if (width < 1 || height < 1) {
      throw new IllegalArgumentException("picture: " + width + " x " + height + " pixels, expected at least one");
    }
    if (source.length < width)
      source = new int[width];
    resizer.begin(width, height);
  }

  private Tensor finish() {
    int planes = channelsFirst ? channels : 1;
    for (int y = 0; y < height; ++y) {
      resizer.getRow(y, result);
      for (int plane = 0; plane < planes; ++plane) {
        int row = plane * height + y;
        if (floats.length > 0) {
          fillFloats(plane, channels / planes);
          ((Buffer) floatView).position(row * floats.length);
          floatView.put(floats);
        } else {
          fillBytes(plane, channels / planes);
          ((Buffer) byteView).position(row * bytes.length);
          byteView.put(bytes);
        }
      }
    }
    return tensor;
  }

  private void fillFloats(int firstChannel, int count) {
    for (int c = 0; c < count; ++c) {
      int shift = shifts[firstChannel + c];
      int table = (firstChannel + c) << 8;
      for (int x = 0, i = c; x < width; ++x, i += count) floats[i] = normalised[table | ((result[x] >> shift) & 255)];
    }
  }

  private void fillBytes(int firstChannel, int count) {
    for (int c = 0; c < count; ++c) {
      int shift = shifts[firstChannel + c];
      for (int x = 0, i = c; x < width; ++x, i += count) bytes[i] = (byte) (result[x] >> shift);
    }
  }

  private static float[] normalise(ImageInfo info, int channels) {
    float[] mean = info.getMean();
    float[] scale = info.getScale();
    float[] table = new float[channels << 8];
    for (int c = 0; c < channels; ++c) {
      for (int pixel = 0; pixel < 256; ++pixel) table[c << 8 | pixel] = (pixel - mean[c]) * scale[c];
    }
    return table;
  }

  /** Returns the last three dims of a tensor that fits. */
  private static int[] lastDims(ImageInfo info, int[] shape) {
    boolean gray = info.getChannelOrder() == ImageInfo.ChannelOrder.GRAY;
    if (info.getChannels() != (gray ? 1 : 3)) {
      throw new TealightException(ErrorCode.INVALID_ARGUMENT,
          "image '" + info.getInput() + "': " + info.getChannels() + " channels in order " + info.getChannelOrder()
              + ", expected 3, or 1 for GRAY");
    }
    int skipped = shape.length - 3;
    boolean fits = skipped >= 0;
    for (int i = 0; i < skipped; ++i) fits &= shape[i] == 1;
    int[] last = fits ? Arrays.copyOfRange(shape, skipped, shape.length) : new int[3];
    fits &= last[info.isChannelsFirst() ? 0 : 2] == info.getChannels() && last[0] > 0 && last[1] > 0 && last[2] > 0;
    if (!fits) {
      throw new TealightException(ErrorCode.WRONG_SHAPE,
          "image '" + info.getInput() + "': shape " + Arrays.toString(shape) + ", expected one picture of "
              + info.getChannels()
              + (info.isChannelsFirst() ? " channels, channels first" : " channels, channels last"));
    }
    return last;
  }

  private static ImageInfo firstImage(Model model) {
    List<ImageInfo> images = model.getImages();
    if (images.isEmpty()) {
      throw new TealightException(ErrorCode.NOT_FOUND,
          "model: does not say how a picture becomes its input, expected image metadata; build it with --image "
              + "mean=…,scale=…, or make the tensor yourself");
    }
    return images.get(0);
  }

  private static Tensor newTensor(Model model, ImageInfo image) {
    for (TensorInfo input : model.getInputs()) {
      if (!input.getName().equals(image.getInput()))
        continue;
      int[] shape = input.getShape();
      boolean known = image.getHeight() > 0 && image.getWidth() > 0 && shape.length >= 3;
      for (int i = 0; known && i < shape.length; ++i) {
        if (shape[i] < 0)
          shape[i] = dim(image, i - (shape.length - 3));
      }
      if (known)
        return Tensor.allocate(input.getDataType(), shape);
      throw new TealightException(ErrorCode.WRONG_SHAPE,
          "input " + input
              + ": leaves the picture's size open, expected a fixed one; pass a tensor of the size you want");
    }
    throw new TealightException(ErrorCode.NOT_FOUND,
        "image '" + image.getInput() + "': not of the first entry point, expected one of " + model.getInputs());
  }

  /** Returns what image says of dim i of the last three, and 1 for those before them. */
  private static int dim(ImageInfo image, int i) {
    int[] dims = image.isChannelsFirst() ? new int[] {image.getChannels(), image.getHeight(), image.getWidth()}
                                         : new int[] {image.getHeight(), image.getWidth(), image.getChannels()};
    return i < 0 ? 1 : dims[i];
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * How an input is made of a picture, as the bundle says: {@code x = (pixel - mean) * scale} per channel.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea")); Session session = model.newSession()) {
 *   ImageInfo image = model.getImages().get(0);
 *   int[] pixels = new int[image.getHeight() * image.getWidth()];
 *   Arrays.fill(pixels, 0xFFFF8000);  // orange
 *   Tensor input = Tensor.allocate(DataType.FLOAT32, session.getInputs().get(0).getShape());
 *   image.fill(input, pixels);
 *   System.out.println(session.run(input)[0]);
 * }
 * }</pre>
 */
public final class ImageInfo {
  /** The order of the channels in memory. */
  public enum ChannelOrder {
    // In the order of tl_image_info.
    RGB,
    BGR,
    GRAY
  }

  private final String input;
  private final int height;
  private final int width;
  private final boolean channelsFirst;
  private final ChannelOrder channelOrder;
  private final float[] mean;
  private final float[] scale;

  // numbers: height, width, channels_first, channel_order; normalisation: the means, then the scales.
  ImageInfo(String input, int[] numbers, float[] normalisation) {
    this.input = input;
    height = numbers[0];
    width = numbers[1];
    channelsFirst = numbers[2] != 0;
    channelOrder = ChannelOrder.values()[numbers[3]];
    mean = Arrays.copyOf(normalisation, normalisation.length / 2);
    scale = Arrays.copyOfRange(normalisation, normalisation.length / 2, normalisation.length);
  }

  /** Returns the name of the input. */
  public String getInput() {
    return input;
  }

  /** Returns the height that pictures are scaled to. */
  public int getHeight() {
    return height;
  }

  /** Returns the width that pictures are scaled to. */
  public int getWidth() {
    return width;
  }

  public int getChannels() {
    return mean.length;
  }

  /** Returns whether the shape is [1, channels, height, width]; otherwise it is [1, height, width, channels]. */
  public boolean isChannelsFirst() {
    return channelsFirst;
  }

  public ChannelOrder getChannelOrder() {
    return channelOrder;
  }

  /** Returns a copy of the mean of each channel. */
  public float[] getMean() {
    return mean.clone();
  }

  /** Returns a copy of the scale of each channel. */
  public float[] getScale() {
    return scale.clone();
  }

  /**
   * Writes a picture into a tensor of the input: normalised where that is {@link DataType#FLOAT32}, as it is where it
   * is {@link DataType#UINT8} or {@link DataType#INT8}. The numbers are those of {@code tealight run}.
   *
   * @param tensor of the picture's size
   * @param pixels row by row, each 0xAARRGGBB as of Bitmap.getPixels; alpha is ignored
   * @throws TealightException the tensor has another size or type
   */
  public void fill(Tensor tensor, int[] pixels) {
    int channels = getChannels();
    if (channels != (channelOrder == ChannelOrder.GRAY ? 1 : 3)) {
      throw new TealightException(ErrorCode.INVALID_ARGUMENT,
          "image '" + input + "': " + channels + " channels in order " + channelOrder + ", expected 3, or 1 for GRAY");
    }
    boolean floats = tensor.getDataType() == DataType.FLOAT32;
    if (!floats && tensor.getDataType() != DataType.UINT8 && tensor.getDataType() != DataType.INT8) {
      throw new TealightException(ErrorCode.WRONG_DTYPE,
          "image '" + input + "': " + tensor.getDataType() + ", expected FLOAT32, UINT8 or INT8");
    }
    if (tensor.getByteSize() != (floats ? 4L : 1L) * channels * pixels.length) {
      throw new TealightException(ErrorCode.WRONG_SHAPE,
          "image '" + input + "': " + pixels.length + " pixels, expected as many as " + tensor + " has");
    }
    ByteBuffer target = tensor.getBuffer();
    for (int channel = 0; channel < channels; ++channel) {
      int start = channelsFirst ? channel * pixels.length : channel;
      int step = channelsFirst ? 1 : channels;
      if (floats) {
        fillFloats(target, pixels, channel, start, step);
      } else {
        for (int i = 0; i < pixels.length; ++i) target.put(start + i * step, (byte) level(pixels[i], channel));
      }
    }
  }

  private void fillFloats(ByteBuffer target, int[] pixels, int channel, int start, int step) {
    float[] table = new float[256];
    for (int i = 0; i < table.length; ++i) table[i] = (i - mean[channel]) * scale[channel];
    for (int i = 0; i < pixels.length; ++i) {
      target.putFloat(4 * (start + i * step), table[level(pixels[i], channel)]);
    }
  }

  // 0 to 255. Grey is the sum of ITU-R BT.601 in 16 bits of fraction, as Pillow has it.
  private int level(int pixel, int channel) {
    switch (channelOrder) {
      case RGB:
        return (pixel >> (16 - 8 * channel)) & 0xFF;
      case BGR:
        return (pixel >> (8 * channel)) & 0xFF;
      default:
        return (((pixel >> 16) & 0xFF) * 19595 + ((pixel >> 8) & 0xFF) * 38470 + (pixel & 0xFF) * 7471 + 0x8000) >> 16;
    }
  }
}

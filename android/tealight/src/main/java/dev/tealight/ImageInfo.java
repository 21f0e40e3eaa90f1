// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

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
   * is {@link DataType#UINT8} or {@link DataType#INT8}. The numbers are those of {@code tealight run}. For one picture;
   * {@link ImageConverter} is for many, and for those of another size.
   *
   * @param tensor of the picture's size
   * @param pixels row by row, each 0xAARRGGBB as of Bitmap.getPixels; alpha is ignored
   * @throws TealightException the tensor has another size or type
   */
  public void fill(Tensor tensor, int[] pixels) {
    ImageConverter converter = new ImageConverter(this, tensor);
    if (pixels.length != converter.getWidth() * converter.getHeight()) {
      throw new TealightException(ErrorCode.WRONG_SHAPE,
          "image '" + input + "': " + pixels.length + " pixels, expected as many as " + tensor + " has");
    }
    converter.convert(pixels, converter.getWidth(), converter.getHeight());
  }
}

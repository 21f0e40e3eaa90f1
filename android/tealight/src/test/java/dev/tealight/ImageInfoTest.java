// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.util.Collections;
import org.junit.Test;

/** Pictures become inputs as Python makes them. */
public class ImageInfoTest {
  /** Returns 0xAARRGGBB of a recorded picture, uint8 [h, w, RGB]. */
  private static int[] pixels(String folder) throws IOException {
    byte[] bytes = Recordings.bytes(Recordings.tensors(folder, "pixels")[0]);
    int[] pixels = new int[bytes.length / 3];
    for (int i = 0; i < pixels.length; ++i) {
      int red = bytes[3 * i] & 0xFF;
      int green = bytes[3 * i + 1] & 0xFF;
      pixels[i] = (i * 37) << 24 | red << 16 | green << 8 | (bytes[3 * i + 2] & 0xFF);
    }
    return pixels;
  }

  private static ImageInfo checkFill(String folder) throws IOException {
    try (Model model = Recordings.model(folder)) {
      ImageInfo image = model.getImages().get(0);
      TensorInfo input = model.getInputs().get(0);
      Tensor tensor = Tensor.allocate(input.getDataType(), input.getShape());
      image.fill(tensor, pixels(folder));
      assertArrayEquals(Recordings.bytes(Recordings.tensors(folder, "in")[0]), Recordings.bytes(tensor));
      return image;
    }
  }

  @Test
  public void fillsInChannelsLast() throws IOException {
    ImageInfo image = checkFill("image_rgb");
    assertEquals("x", image.getInput());
    assertEquals(5, image.getHeight());
    assertEquals(6, image.getWidth());
    assertEquals(3, image.getChannels());
    assertEquals(ImageInfo.ChannelOrder.RGB, image.getChannelOrder());
    assertTrue(!image.isChannelsFirst());
    assertArrayEquals(new float[] {123.7f, 116.3f, 103.5f}, image.getMean(), 0);
    assertArrayEquals(new float[] {0.017f, 0.0175f, 0.0174f}, image.getScale(), 0);
  }

  @Test
  public void fillsInChannelsFirstAndBlueFirst() throws IOException {
    ImageInfo image = checkFill("image_bgr_first");
    assertEquals(ImageInfo.ChannelOrder.BGR, image.getChannelOrder());
    assertTrue(image.isChannelsFirst());
  }

  @Test
  public void fillsInGrey() throws IOException {
    assertEquals(ImageInfo.ChannelOrder.GRAY, checkFill("image_gray").getChannelOrder());
  }

  @Test
  public void fillsInBytes() throws IOException {
    checkFill("image_bytes");
  }

  @Test
  public void refusesOtherTensors() throws IOException {
    try (Model model = Recordings.model("image_rgb")) {
      ImageInfo image = model.getImages().get(0);
      int[] pixels = pixels("image_rgb");
      SessionTest.assertFails(
          ErrorCode.WRONG_SHAPE, "30 pixels", () -> image.fill(Tensor.allocate(DataType.FLOAT32, 1, 4, 4, 3), pixels));
      SessionTest.assertFails(
          ErrorCode.WRONG_DTYPE, "FLOAT64", () -> image.fill(Tensor.allocate(DataType.FLOAT64, 1, 5, 6, 3), pixels));
    }
  }

  @Test
  public void aModelWithoutPicturesHasNone() {
    try (Model model = Recordings.model("float32")) {
      assertEquals(Collections.emptyList(), model.getImages());
      assertEquals(Collections.emptyList(), model.getLabels("y"));
      assertEquals(Collections.emptyMap(), model.getMetadata());
    }
  }
}

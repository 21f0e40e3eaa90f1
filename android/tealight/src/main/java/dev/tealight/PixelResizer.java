// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

/**
 * Bilinear scaling with the filter widened to the source pixels that one result pixel covers, in fixed point of 22
 * bits, first across and then down: bit for bit what {@code tealight.data} does to a picture on the desktop (Pillow's
 * {@code BILINEAR}). A plain bilinear tap of four pixels, as canvases do it, would skip most of a large photo.
 *
 * <p>Holds only working memory, which grows to the largest picture seen; one thread at a time.
 */
final class PixelResizer {
  private static final int PRECISION_BITS = 22;
  private static final int HALF = 1 << (PRECISION_BITS - 1);

  private final int outWidth;
  private final int outHeight;
  private final boolean gray;
  private int inWidth;
  private int inHeight;
  private Taps across;
  private Taps down;
  /** [inHeight, outWidth] packed 0xRRGGBB, after the pass across. */
  private int[] narrowed = new int[0];

  PixelResizer(int outWidth, int outHeight, boolean gray) {
    this.outWidth = outWidth;
    this.outHeight = outHeight;
    this.gray = gray;
  }

  /** Prepares for a picture of this size; costs nothing when the last one had it. */
  void begin(int width, int height) {
    if (width == inWidth && height == inHeight)
      return;
    across = width == outWidth ? null : new Taps(width, outWidth);
    down = height == outHeight ? null : new Taps(height, outHeight);
    if (narrowed.length < height * outWidth)
      narrowed = new int[height * outWidth];
    inWidth = width;
    inHeight = height;
  }

  /** Takes row y of the picture: ARGB values, whose alpha is ignored; they are overwritten. */
  void putRow(int y, int[] argb) {
    int base = y * outWidth;
    if (gray)
      toGray(argb, inWidth);
    if (across == null) {
      System.arraycopy(argb, 0, narrowed, base, outWidth);
      return;
    }
    for (int x = 0; x < outWidth; ++x) {
      narrowed[base + x] = across.weigh(x, argb, 0, 1);
    }
  }

  /** Writes row y of the result: outWidth packed 0xRRGGBB values; a gray one has its value in all three. */
  void getRow(int y, int[] rgb) {
    if (down == null) {
      System.arraycopy(narrowed, y * outWidth, rgb, 0, outWidth);
      return;
    }
    for (int x = 0; x < outWidth; ++x) {
      rgb[x] = down.weigh(y, narrowed, x, outWidth);
    }
  }

  /** Luma of ITU-R BT.601 in fixed point of 16 bits, rounded. */
  private static void toGray(int[] argb, int count) {
    for (int i = 0; i < count; ++i) {
      int p = argb[i];
      int luma = (((p >> 16) & 255) * 19595 + ((p >> 8) & 255) * 38470 + (p & 255) * 7471 + 0x8000) >> 16;
      argb[i] = luma << 16 | luma << 8 | luma;
    }
  }

  /** The weights of one direction: result i is the sum over t of weight[i, t] * source[first[i] + t]. */
  private static final class Taps {
    private final int[] first;
    private final int[] count;
    private final int[] weights;
    private final int most;

    Taps(int in, int out) {
      double scale = (double) in / out;
      double support = Math.max(scale, 1.0);
      most = (int) Math.ceil(support) * 2 + 1;
      first = new int[out];
      count = new int[out];
      weights = new int[out * most];
      double[] raw = new double[most];
      for (int i = 0; i < out; ++i) {
        double center = (i + 0.5) * scale;
        int low = Math.max((int) (center - support + 0.5), 0);
        int n = Math.min((int) (center + support + 0.5), in) - low;
        double sum = 0.0;
        for (int t = 0; t < n; ++t) {
          double distance = Math.abs((t + low - center + 0.5) * (1.0 / support));
          raw[t] = distance < 1.0 ? 1.0 - distance : 0.0;
          sum += raw[t];
        }
        first[i] = low;
        count[i] = n;
        for (int t = 0; t < n; ++t) {
          double share = sum == 0.0 ? raw[t] : raw[t] / sum;
          weights[i * most + t] = (int) (0.5 + share * (1 << PRECISION_BITS));
        }
      }
    }

    int weigh(int i, int[] pixels, int offset, int stride) {
      int r = HALF;
      int g = HALF;
      int b = HALF;
      int at = offset + first[i] * stride;
      int base = i * most;
      for (int t = 0; t < count[i]; ++t, at += stride) {
        int w = weights[base + t];
        int p = pixels[at];
        r += ((p >> 16) & 255) * w;
        g += ((p >> 8) & 255) * w;
        b += (p & 255) * w;
      }
      return clip(r) << 16 | clip(g) << 8 | clip(b);
    }

    /** Rounded weights may carry a sum of 255s one too far. */
    private static int clip(int sum) {
      return Math.min(sum >> PRECISION_BITS, 255);
    }
  }
}

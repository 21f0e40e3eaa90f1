// SPDX-License-Identifier: Apache-2.0
package dev.tealight.android;

import android.graphics.Bitmap;
import dev.tealight.ImageConverter;
import dev.tealight.Model;
import dev.tealight.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Turns bitmaps into an input of a model, as the bundle says; see {@link ImageConverter}.
 *
 * <pre>{@code
 * BitmapConverter converter = new BitmapConverter(model);
 * Tensor[] scores = session.run(converter.convert(bitmap));
 * Log.i("app", "first score " + scores[0].toFloatArray()[0]);
 * }</pre>
 *
 * <p>Every bitmap goes into the same tensor, and nothing is allocated while bitmaps keep their size. Belongs to one
 * thread at a time.
 */
public final class BitmapConverter {
  private final ImageConverter converter;
  private final BitmapRows rows = new BitmapRows();

  /**
   * Makes a converter for the model's first input that is a picture.
   *
   * @throws dev.tealight.TealightException the bundle has none, or leaves its size open
   */
  public BitmapConverter(Model model) {
    this(new ImageConverter(model));
  }

  /** Makes a converter that writes where another one does. */
  public BitmapConverter(ImageConverter converter) {
    this.converter = converter;
  }

  /**
   * Converts a bitmap of any size; transparency is ignored.
   *
   * @return the converter's tensor, with the picture in it
   * @throws IllegalStateException the bitmap lies in the GPU's memory alone (Config.HARDWARE): copy it first
   */
  public Tensor convert(Bitmap bitmap) {
    rows.bitmap = bitmap;
    try {
      return converter.convert(rows, bitmap.getWidth(), bitmap.getHeight());
    } finally {
      rows.bitmap = null;
    }
  }

  /** Returns the width that bitmaps are scaled to: one of this size costs the least. */
  public int getWidth() {
    return converter.getWidth();
  }

  /** Returns the height that bitmaps are scaled to. */
  public int getHeight() {
    return converter.getHeight();
  }

  private static final class BitmapRows implements ImageConverter.Rows {
    private @Nullable Bitmap bitmap;

    @Override
    public void read(int y, int[] argb) {
      int width = bitmap.getWidth();
      bitmap.getPixels(argb, 0, width, 0, y, width, 1);
    }
  }
}

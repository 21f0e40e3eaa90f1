// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.content.ContentResolver;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.ImageDecoder;
import android.net.Uri;
import android.os.Build;
import android.util.Size;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** Reads photos at about the size of a screen. */
final class Photos {
  private static final int MOST_PIXELS_A_SIDE = 2048;

  private Photos() {}

  static Bitmap read(ContentResolver resolver, Uri photo) throws IOException {
    // ImageDecoder is of API 28 and turns photos upright.
    return Build.VERSION.SDK_INT >= 28 ? Decoder.read(resolver, photo) : readUnturned(resolver, photo);
  }

  private static Bitmap readUnturned(ContentResolver resolver, Uri photo) throws IOException {
    BitmapFactory.Options options = new BitmapFactory.Options();
    options.inJustDecodeBounds = true;
    try (InputStream stream = open(resolver, photo)) {
      BitmapFactory.decodeStream(stream, null, options);
    }
    options.inJustDecodeBounds = false;
    options.inSampleSize = sampleSize(options.outWidth, options.outHeight);
    try (InputStream stream = open(resolver, photo)) {
      Bitmap bitmap = BitmapFactory.decodeStream(stream, null, options);
      if (bitmap == null)
        throw new IOException("photo '" + photo + "': cannot be decoded, expected a picture");
      return bitmap;
    }
  }

  private static InputStream open(ContentResolver resolver, Uri photo) throws IOException {
    InputStream stream = resolver.openInputStream(photo);
    if (stream == null)
      throw new FileNotFoundException("photo '" + photo + "': gone, expected a picture");
    return stream;
  }

  private static int sampleSize(int width, int height) {
    int size = 1;
    while (Math.max(width, height) / size > MOST_PIXELS_A_SIDE) size *= 2;
    return size;
  }

  /** A class of its own: older phones never load it. */
  private static final class Decoder implements ImageDecoder.OnHeaderDecodedListener {
    static Bitmap read(ContentResolver resolver, Uri photo) throws IOException {
      return ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, photo), new Decoder());
    }

    @Override
    public void onHeaderDecoded(ImageDecoder decoder, ImageDecoder.ImageInfo info, ImageDecoder.Source source) {
      Size size = info.getSize();
      decoder.setTargetSampleSize(sampleSize(size.getWidth(), size.getHeight()));
      decoder.setAllocator(ImageDecoder.ALLOCATOR_SOFTWARE); // pixels that Java can read
    }
  }
}

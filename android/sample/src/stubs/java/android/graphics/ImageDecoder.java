// SPDX-License-Identifier: Apache-2.0
// What the sample uses of this class of API 28; compiled against, never packaged.
package android.graphics;

import android.content.ContentResolver;
import android.net.Uri;
import android.util.Size;
import java.io.IOException;

public final class ImageDecoder {
  public static final int ALLOCATOR_SOFTWARE = 1;

  private ImageDecoder() {}

  public static native Source createSource(ContentResolver resolver, Uri uri);

  public static native Bitmap decodeBitmap(Source source, OnHeaderDecodedListener listener) throws IOException;

  public native void setAllocator(int allocator);

  public native void setTargetSampleSize(int sampleSize);

  public abstract static class Source {
    private Source() {}
  }

  public static final class ImageInfo {
    private ImageInfo() {}

    public native Size getSize();
  }

  public interface OnHeaderDecodedListener {
    void onHeaderDecoded(ImageDecoder decoder, ImageInfo info, Source source);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight.android;

import android.content.Context;
import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import dev.tealight.Model;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/**
 * Loads bundles that lie in the app.
 *
 * <pre>{@code
 * try (Model model = AssetModels.load(context.getAssets(), "model.tea")) {
 *   Log.i("app", "runs on " + model.getInputs());
 * }
 * }</pre>
 *
 * <p>An asset that the .apk stores uncompressed is mapped from there: {@code androidResources { noCompress += "tea" }}
 * in the app's build.gradle. Where it does not begin at a multiple of 64 bytes, which Android's packager leaves to
 * chance, the runtime reads it into private memory once; {@link #loadThroughCache} always maps. All methods are
 * thread-safe.
 */
public final class AssetModels {
  private static final int COPY_BYTES = 1 << 16;

  private AssetModels() {}

  /**
   * Loads an uncompressed asset.
   *
   * @param name of the asset, such as "model.tea" or "models/small.tea"
   * @throws IOException there is no such asset, or it is compressed
   * @throws dev.tealight.TealightException it is no bundle that this library runs
   */
  public static Model load(AssetManager assets, String name) throws IOException {
    open(assets, name).close(); // tells a missing asset from a compressed one
    try (AssetFileDescriptor asset = assets.openFd(name)) {
      return load(asset);
    } catch (FileNotFoundException e) {
      throw explained("asset '" + name + "': compressed, expected it stored so that it can be mapped; add "
              + "androidResources { noCompress += \"tea\" } to build.gradle, or use loadThroughCache",
          e);
    }
  }

  /** Loads what a descriptor stands for, which the caller closes; it may do so as soon as this returns. */
  public static Model load(AssetFileDescriptor asset) {
    long length = asset.getLength() == AssetFileDescriptor.UNKNOWN_LENGTH ? 0 : asset.getLength();
    return Model.load(asset.getParcelFileDescriptor().getFd(), asset.getStartOffset(), length);
  }

  /**
   * Loads any asset, compressed or not: copies it to the app's code cache once, which Android empties when the app is
   * updated, and maps the copy. Blocks while it copies.
   *
   * @throws IOException there is no such asset, or no space for the copy
   * @throws dev.tealight.TealightException it is no bundle that this library runs
   */
  public static Model loadThroughCache(Context context, String name) throws IOException {
    File copy = new File(context.getCodeCacheDir(), "tealight-" + name.replace('/', '-'));
    if (!copy.exists())
      copy(context.getAssets(), name, copy);
    return Model.load(copy);
  }

  /** Writes to another name first: nobody ever sees half a bundle. */
  private static void copy(AssetManager assets, String name, File target) throws IOException {
    File part = File.createTempFile("tealight-", ".part", target.getParentFile());
    try (InputStream source = open(assets, name); FileOutputStream sink = new FileOutputStream(part)) {
      byte[] chunk = new byte[COPY_BYTES];
      for (int count = source.read(chunk); count >= 0; count = source.read(chunk)) {
        sink.write(chunk, 0, count);
      }
      sink.getFD().sync();
      if (!part.renameTo(target)) {
        throw new IOException("file '" + target + "': cannot be written, expected the app's code cache");
      }
    } finally {
      part.delete(); // there only when something failed
    }
  }

  private static InputStream open(AssetManager assets, String name) throws IOException {
    try {
      return assets.open(name);
    } catch (FileNotFoundException e) {
      int slash = name.lastIndexOf('/');
      String[] present = assets.list(slash < 0 ? "" : name.substring(0, slash));
      throw explained("asset '" + name + "': not in the app, expected one of " + Arrays.toString(present), e);
    }
  }

  private static IOException explained(String message, FileNotFoundException cause) {
    IOException explained = new FileNotFoundException(message);
    explained.initCause(cause);
    return explained;
  }
}

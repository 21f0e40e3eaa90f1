// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.nio.charset.Charset;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * The native library: what it is and what it has.
 *
 * <pre>{@code
 * System.out.println("Tealight " + Tealight.getVersion() + " on " + Tealight.getIsas().get(0));
 * }</pre>
 *
 * <p>The library is loaded when the first class needs it.
 */
public final class Tealight {
  private static final Charset UTF_8 = Charset.forName("UTF-8");

  // Only this class loads the library on initialisation. JNI_OnLoad looks the other classes up, which initialises
  // them: if one of them loaded the library then, two threads could wait for each other's class.
  static {
    System.loadLibrary("tealight_jni");
  }

  private Tealight() {}

  /** Returns "major.minor.patch". */
  public static String getVersion() {
    return nativeVersion();
  }

  /** Returns the highest bundle format version that the library runs. */
  public static int getFormatVersion() {
    return nativeFormatVersion();
  }

  /** Returns the names of the kernel paths that the library holds and this CPU runs, best first. */
  public static List<String> getIsas() {
    return Collections.unmodifiableList(Arrays.asList(nativeIsaNames()));
  }

  /** Returns the names of the optional parts that this build of the library has. */
  public static List<String> getFeatures() {
    return Collections.unmodifiableList(Arrays.asList(nativeFeatureNames()));
  }

  /** Makes sure that native methods work. */
  static void load() {}

  /** Returns the text as C reads it. */
  static byte[] cString(String text) {
    if (text.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("text '" + text + "': contains NUL, expected none");
    }
    byte[] bytes = text.getBytes(UTF_8);
    byte[] terminated = new byte[bytes.length + 1];
    System.arraycopy(bytes, 0, terminated, 0, bytes.length);
    return terminated;
  }

  private static native String nativeVersion();

  private static native int nativeFormatVersion();

  private static native String[] nativeIsaNames();

  private static native String[] nativeFeatureNames();
}

// SPDX-License-Identifier: Apache-2.0
// What the sample uses of this class beyond API 23; compiled against, never packaged.
package android.os;

public final class PowerManager {
  private PowerManager() {}

  public native int getCurrentThermalStatus(); // API 29
}

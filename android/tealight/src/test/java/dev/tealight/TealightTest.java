// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

/** The library and its error codes. */
public class TealightTest {
  @Test
  public void tellsWhatTheLibraryIs() {
    assertTrue(Tealight.getVersion(), Tealight.getVersion().matches("\\d+\\.\\d+\\.\\d+"));
    assertTrue(Tealight.getFormatVersion() >= 1);
    assertEquals("scalar", Tealight.getIsas().get(Tealight.getIsas().size() - 1));
    assertTrue(Tealight.getFeatures().toString(), Tealight.getFeatures().contains("winograd"));
  }

  @Test
  public void codesAreKnownByNumber() {
    for (ErrorCode code : ErrorCode.values()) {
      assertEquals(code, new TealightException(code.nativeValue, "text").getCode());
      assertEquals(code.nativeValue, new TealightException(code, "text").getNativeCode());
    }
  }

  @Test
  public void anUnknownCodeSurvives() {
    TealightException e = new TealightException(987, "from the future");
    assertEquals(ErrorCode.UNKNOWN, e.getCode());
    assertEquals(987, e.getNativeCode());
    assertEquals("from the future", e.getMessage());
  }
}

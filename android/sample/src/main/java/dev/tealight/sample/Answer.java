// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import java.util.Collections;
import java.util.List;

/** What came out for one picture: text lines, boxes to draw, and the time it took. */
final class Answer {
  final List<String> lines;
  final List<Boxes.Box> boxes;
  final double convertMillis;
  final double runMillis;

  Answer(List<String> lines, List<Boxes.Box> boxes, double convertMillis, double runMillis) {
    this.lines = lines;
    this.boxes = boxes;
    this.convertMillis = convertMillis;
    this.runMillis = runMillis;
  }

  static Answer failure(Exception e) {
    return new Answer(Collections.singletonList(e.getMessage()), Collections.<Boxes.Box>emptyList(), 0, 0);
  }
}

// SPDX-License-Identifier: Apache-2.0
// From a detector's two outputs to boxes to draw. Plain Java: the tests run it on the desktop.
package dev.tealight.sample;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The boxes of a detector of the single-shot kind: n candidates, each with corners and a score for every class. */
final class Boxes {
  /** One box; the corners are parts of the picture's width and height. */
  static final class Box implements Comparable<Box> {
    final float left;
    final float top;
    final float right;
    final float bottom;
    final float score;
    final int classIndex;

    Box(float left, float top, float right, float bottom, float score, int classIndex) {
      this.left = left;
      this.top = top;
      this.right = right;
      this.bottom = bottom;
      this.score = score;
      this.classIndex = classIndex;
    }

    /** Returns the area that both share over the area that either covers. */
    float overlap(Box other) {
      float width = Math.min(right, other.right) - Math.max(left, other.left);
      float height = Math.min(bottom, other.bottom) - Math.max(top, other.top);
      if (width <= 0 || height <= 0)
        return 0;
      float shared = width * height;
      return shared / (area() + other.area() - shared);
    }

    /** The better one comes first. */
    @Override
    public int compareTo(Box other) {
      return Float.compare(other.score, score);
    }

    private float area() {
      return (right - left) * (bottom - top);
    }
  }

  private Boxes() {}

  /**
   * Returns the boxes, each with its best class, best first, without those that overlap a better one of their class.
   *
   * @param corners [n, 4]: left, top, right, bottom
   * @param scores [n, classes]; class 0 is the background
   * @param threshold the least score
   * @param mostOverlap of two boxes of a class, by {@link Box#overlap}
   */
  static List<Box> find(FloatBuffer corners, FloatBuffer scores, int classes, float threshold, float mostOverlap) {
    List<Box> candidates = new ArrayList<>();
    for (int i = 0; i < corners.limit() / 4; ++i) {
      int best = 1;
      for (int c = 2; c < classes; ++c) {
        if (scores.get(i * classes + c) > scores.get(i * classes + best))
          best = c;
      }
      float score = scores.get(i * classes + best);
      if (score < threshold)
        continue;
      candidates.add(new Box(
          corners.get(4 * i), corners.get(4 * i + 1), corners.get(4 * i + 2), corners.get(4 * i + 3), score, best));
    }
    Collections.sort(candidates);
    List<Box> kept = new ArrayList<>();
    for (Box box : candidates) {
      if (!overlapsBetter(box, kept, mostOverlap))
        kept.add(box);
    }
    return kept;
  }

  private static boolean overlapsBetter(Box box, List<Box> better, float mostOverlap) {
    for (Box other : better) {
      if (other.classIndex == box.classIndex && box.overlap(other) > mostOverlap)
        return true;
    }
    return false;
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.view.View;
import java.util.Collections;
import java.util.List;

/** Boxes over whatever lies below, stretched to this view's size. */
final class BoxPainter extends View {
  private final Paint paint = new Paint();
  private List<Boxes.Box> boxes = Collections.emptyList();

  BoxPainter(Context context) {
    super(context);
  }

  void setBoxes(List<Boxes.Box> boxes) {
    this.boxes = boxes;
    invalidate();
  }

  @Override
  protected void onDraw(Canvas canvas) {
    draw(canvas, boxes, getWidth(), getHeight(), paint);
  }

  /** Draws boxes on a canvas of this size. */
  static void draw(Canvas canvas, List<Boxes.Box> boxes, int width, int height, Paint paint) {
    paint.setStyle(Paint.Style.STROKE);
    paint.setColor(Color.rgb(255, 160, 0));
    paint.setStrokeWidth(Math.max(2, width / 200f));
    for (Boxes.Box box : boxes) {
      canvas.drawRect(box.left * width, box.top * height, box.right * width, box.bottom * height, paint);
    }
  }
}

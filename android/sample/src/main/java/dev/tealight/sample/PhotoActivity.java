// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.widget.ImageView;
import android.widget.LinearLayout;
import android.widget.TextView;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Runs the task on a photo that the user picks. */
public final class PhotoActivity extends PictureActivity {
  private static final int PICK = 1;

  private TextView text;
  private ImageView view;
  private @Nullable Bitmap photo;

  @Override
  protected void onCreate(@Nullable Bundle state) {
    super.onCreate(state);
    LinearLayout column = Screens.column(this);
    Screens.button(column, R.string.pick_photo, new View.OnClickListener() {
      @Override
      public void onClick(View button) {
        pick();
      }
    });
    view = new ImageView(this);
    Screens.fill(column, view);
    text = Screens.text(column);
  }

  @Override
  void onReady(int width, int height) {
    pick();
  }

  @Override
  void onAnswer(Answer answer) {
    text.setText(text(answer));
    if (photo == null || answer.boxes.isEmpty())
      return;
    Bitmap drawn = photo.copy(Bitmap.Config.ARGB_8888, true);
    BoxPainter.draw(new Canvas(drawn), answer.boxes, drawn.getWidth(), drawn.getHeight(), new Paint());
    view.setImageBitmap(drawn);
  }

  @Override
  protected void onActivityResult(int request, int result, @Nullable Intent data) {
    super.onActivityResult(request, result, data);
    if (request != PICK || result != RESULT_OK || data == null || data.getData() == null)
      return;
    text.setText(R.string.working);
    final Uri picked = data.getData();
    work(new Step() {
      @Override
      public void run() throws IOException {
        show(Photos.read(getContentResolver(), picked));
      }
    });
  }

  private void show(final Bitmap read) {
    runOnUiThread(new Runnable() {
      @Override
      public void run() {
        if (isDestroyed())
          return;
        photo = read;
        view.setImageBitmap(read);
        ask(read);
      }
    });
  }

  private void pick() {
    Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*");
    startActivityForResult(intent, PICK);
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.app.Activity;
import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.LinearLayout;
import org.jspecify.annotations.Nullable;

/** The list of what the sample shows. */
public final class MainActivity extends Activity {
  @Override
  protected void onCreate(@Nullable Bundle state) {
    super.onCreate(state);
    LinearLayout column = Screens.column(this);
    add(column, R.string.classify_photo, PhotoActivity.class, Task.CLASSIFY);
    add(column, R.string.detect_photo, PhotoActivity.class, Task.DETECT);
    add(column, R.string.classify_camera, CameraActivity.class, Task.CLASSIFY);
    add(column, R.string.detect_camera, CameraActivity.class, Task.DETECT);
    add(column, R.string.benchmark, BenchmarkActivity.class, Task.CLASSIFY);
  }

  private void add(LinearLayout column, int text, final Class<? extends Activity> screen, final Task task) {
    Screens.button(column, text, new View.OnClickListener() {
      @Override
      public void onClick(View button) {
        startActivity(new Intent(MainActivity.this, screen).putExtra(Task.EXTRA, task.name()));
      }
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.app.Activity;
import android.content.Context;
import android.graphics.Bitmap;
import android.os.Build;
import android.os.Bundle;
import android.os.PowerManager;
import android.view.WindowManager;
import android.widget.LinearLayout;
import android.widget.ScrollView;
import android.widget.TextView;
import dev.tealight.Session;
import dev.tealight.Tealight;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** Times each bundle with one, two and four threads: median and 90th percentile. */
public final class BenchmarkActivity extends Activity {
  private static final int WARM_UP_RUNS = 5;
  private static final int RUNS = 50;

  private final ExecutorService worker = Executors.newSingleThreadExecutor();
  private TextView text;
  private volatile boolean stopped;

  @Override
  protected void onCreate(@Nullable Bundle state) {
    super.onCreate(state);
    getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
    LinearLayout column = Screens.column(this);
    ScrollView scroll = new ScrollView(this);
    LinearLayout inner = new LinearLayout(this);
    scroll.addView(inner);
    Screens.fill(column, scroll);
    text = Screens.text(inner);
    text.setText(String.format(Locale.US, "Tealight %s on %s, %s, Android %s\n", Tealight.getVersion(),
        Tealight.getIsas().get(0), Build.MODEL, Build.VERSION.RELEASE));
    worker.execute(new Runnable() {
      @Override
      public void run() {
        for (Task task : Task.values()) measure(task);
      }
    });
  }

  @Override
  protected void onDestroy() {
    stopped = true;
    worker.shutdown();
    super.onDestroy();
  }

  private void measure(Task task) {
    for (int threads = 1; threads <= 4 && !stopped; threads *= 2) {
      long start = System.nanoTime();
      Session.Options options = new Session.Options().setThreads(threads);
      try (PictureModel model = new PictureModel(getAssets(), task, options)) {
        double loadMillis = (System.nanoTime() - start) / 1e6;
        append(String.format(Locale.US, "\n%s, threads: %d\nload %.1f ms, %s", task.asset, threads, loadMillis,
            model.getSession().getMemory()));
        append(times(model));
      } catch (IOException | RuntimeException e) {
        append("\n" + e.getMessage());
        return;
      }
    }
  }

  private String times(PictureModel model) {
    Bitmap picture = Bitmap.createBitmap(model.getWidth(), model.getHeight(), Bitmap.Config.ARGB_8888);
    double[] runs = new double[RUNS];
    double[] conversions = new double[RUNS];
    for (int i = -WARM_UP_RUNS; i < RUNS && !stopped; ++i) {
      Answer answer = model.answer(picture);
      if (i < 0)
        continue;
      runs[i] = answer.runMillis;
      conversions[i] = answer.convertMillis;
    }
    Arrays.sort(runs);
    Arrays.sort(conversions);
    return String.format(Locale.US, "model: median %.2f ms, 90%% %.2f ms; picture: median %.2f ms%s", runs[RUNS / 2],
        runs[RUNS * 9 / 10], conversions[RUNS / 2], heat());
  }

  /** Returns how hot the phone is, where it says so: a throttled phone measures itself, not the model. */
  private String heat() {
    if (Build.VERSION.SDK_INT < 29)
      return "";
    PowerManager power = (PowerManager) getSystemService(Context.POWER_SERVICE);
    return "; thermal status " + power.getCurrentThermalStatus() + " (0 = cool)";
  }

  private void append(final String line) {
    runOnUiThread(new Runnable() {
      @Override
      public void run() {
        text.append(line + "\n");
      }
    });
  }
}

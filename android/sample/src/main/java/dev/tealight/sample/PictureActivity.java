// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.app.Activity;
import android.graphics.Bitmap;
import android.os.Bundle;
import android.text.TextUtils;
import dev.tealight.Session;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/** A screen that runs a model on pictures: on one thread of its own, where the model lives from first to last. */
abstract class PictureActivity extends Activity {
  /** Something to do on the worker; what it throws is shown. */
  interface Step {
    void run() throws IOException;
  }

  private final ExecutorService worker = Executors.newSingleThreadExecutor();
  private @Nullable PictureModel model; // the worker's

  @Override
  protected void onCreate(@Nullable Bundle state) {
    super.onCreate(state);
    final Task task = Task.valueOf(getIntent().getStringExtra(Task.EXTRA));
    work(new Step() {
      @Override
      public void run() throws IOException {
        open(task);
      }
    });
  }

  @Override
  protected void onDestroy() {
    work(new Step() {
      @Override
      public void run() {
        if (model != null)
          model.close();
      }
    });
    worker.shutdown();
    super.onDestroy();
  }

  final void work(final Step step) {
    worker.execute(new Runnable() {
      @Override
      public void run() {
        try {
          step.run();
        } catch (IOException | RuntimeException e) {
          show(Answer.failure(e));
        }
      }
    });
  }

  /** Runs the model on a picture, which is not to be changed before {@link #onAnswer}. */
  final void ask(final Bitmap picture) {
    work(new Step() {
      @Override
      public void run() {
        if (model != null)
          show(model.answer(picture));
      }
    });
  }

  /** Called on the main thread when the model is there; a picture of this size costs the least. */
  abstract void onReady(int width, int height);

  /** Called on the main thread for each picture, and when something failed. */
  abstract void onAnswer(Answer answer);

  /** Returns an answer as text. */
  final String text(Answer answer) {
    String lines = answer.lines.isEmpty() ? getString(R.string.nothing_found) : TextUtils.join("\n", answer.lines);
    return answer.runMillis == 0
        ? lines
        : lines + "\n" + getString(R.string.milliseconds, answer.convertMillis, answer.runMillis);
  }

  private void open(Task task) throws IOException {
    final PictureModel opened = new PictureModel(getAssets(), task, new Session.Options());
    model = opened;
    runOnUiThread(new Runnable() {
      @Override
      public void run() {
        if (!isDestroyed())
          onReady(opened.getWidth(), opened.getHeight());
      }
    });
  }

  private void show(final Answer answer) {
    runOnUiThread(new Runnable() {
      @Override
      public void run() {
        if (!isDestroyed())
          onAnswer(answer);
      }
    });
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.app.Activity;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.LinearLayout;
import android.widget.TextView;

/** The few views of the sample, without layout files. */
final class Screens {
  private static final int TEXT_SP = 16;

  private Screens() {}

  /** Returns a column that fills the screen within the system's bars. */
  static LinearLayout column(Activity activity) {
    LinearLayout column = new LinearLayout(activity);
    column.setOrientation(LinearLayout.VERTICAL);
    column.setFitsSystemWindows(true);
    activity.setContentView(column);
    return column;
  }

  static Button button(LinearLayout column, int text, View.OnClickListener onClick) {
    Button button = new Button(column.getContext());
    button.setText(text);
    button.setAllCaps(false);
    button.setOnClickListener(onClick);
    column.addView(button);
    return button;
  }

  static TextView text(LinearLayout column) {
    TextView text = new TextView(column.getContext());
    text.setTextSize(TEXT_SP);
    text.setPadding(TEXT_SP, TEXT_SP, TEXT_SP, TEXT_SP);
    text.setText(R.string.working);
    column.addView(text);
    return text;
  }

  /** Adds a view that takes what the others leave. */
  static void fill(LinearLayout column, View view) {
    column.addView(view, new LinearLayout.LayoutParams(ViewGroup.LayoutParams.MATCH_PARENT, 0, 1));
  }
}

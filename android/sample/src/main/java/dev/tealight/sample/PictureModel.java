// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.content.res.AssetManager;
import android.graphics.Bitmap;
import dev.tealight.Model;
import dev.tealight.Session;
import dev.tealight.Tensor;
import dev.tealight.TensorInfo;
import dev.tealight.android.AssetModels;
import dev.tealight.android.BitmapConverter;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** A task's bundle with what running it needs; all memory is made once. Belongs to one thread at a time. */
final class PictureModel implements AutoCloseable {
  private static final int BEST = 5;
  private static final float LEAST_SCORE = 0.5f;
  private static final float MOST_OVERLAP = 0.4f;

  private final Task task;
  private final Model model;
  private final Session session;
  private final BitmapConverter converter;
  private final Tensor[] inputs = new Tensor[1];
  private final Tensor[] outputs;
  private final List<List<String>> labels = new ArrayList<>(); // of each output

  PictureModel(AssetManager assets, Task task, Session.Options options) throws IOException {
    this.task = task;
    model = AssetModels.load(assets, task.asset);
    session = model.newSession(options);
    converter = new BitmapConverter(model);
    List<TensorInfo> infos = model.getOutputs();
    outputs = new Tensor[infos.size()];
    for (int i = 0; i < outputs.length; ++i) {
      outputs[i] = Tensor.allocate(infos.get(i).getDataType(), infos.get(i).getShape());
      labels.add(model.getLabels(infos.get(i).getName()));
    }
  }

  int getWidth() {
    return converter.getWidth();
  }

  int getHeight() {
    return converter.getHeight();
  }

  Session getSession() {
    return session;
  }

  /** Runs the model on a picture, which is not used after that. */
  Answer answer(Bitmap picture) {
    long start = System.nanoTime();
    inputs[0] = converter.convert(picture);
    long converted = System.nanoTime();
    session.run(inputs, outputs);
    long done = System.nanoTime();
    List<String> lines = new ArrayList<>();
    List<Boxes.Box> boxes = Collections.emptyList();
    if (task == Task.CLASSIFY) {
      classify(lines);
    } else {
      boxes = detect(lines);
    }
    return new Answer(lines, boxes, (converted - start) / 1e6, (done - converted) / 1e6);
  }

  @Override
  public void close() {
    session.close();
    model.close();
  }

  private void classify(List<String> lines) {
    float[] scores = outputs[0].toFloatArray();
    for (int i = 0; i < Math.min(BEST, scores.length); ++i) {
      int best = 0;
      for (int c = 1; c < scores.length; ++c) {
        if (scores[c] > scores[best])
          best = c;
      }
      lines.add(line(scores[best], label(0, best)));
      scores[best] = Float.NEGATIVE_INFINITY;
    }
  }

  private List<Boxes.Box> detect(List<String> lines) {
    int corners = lastDim(0) == 4 ? 0 : 1;
    if (outputs.length != 2 || lastDim(corners) != 4) {
      throw new IllegalStateException(
          task.asset + ": outputs " + session.getOutputs() + ", expected boxes [1, n, 4] and scores [1, n, classes]");
    }
    int scores = 1 - corners;
    FloatBuffer values = outputs[scores].getBuffer().asFloatBuffer();
    List<Boxes.Box> boxes =
        Boxes.find(outputs[corners].getBuffer().asFloatBuffer(), values, lastDim(scores), LEAST_SCORE, MOST_OVERLAP);
    for (Boxes.Box box : boxes) lines.add(line(box.score, label(scores, box.classIndex)));
    return boxes;
  }

  private int lastDim(int output) {
    int[] shape = outputs[output].getShape();
    return shape[shape.length - 1];
  }

  private String label(int output, int index) {
    List<String> names = labels.get(output);
    return index < names.size() ? names.get(index) : "class " + index;
  }

  private static String line(float score, String label) {
    return String.format(Locale.US, "%.3f  %s", score, label);
  }
}

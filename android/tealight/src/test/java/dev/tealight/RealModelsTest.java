// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import org.junit.Test;

/** Real models give their known answers, and the bits that Python gives. */
public class RealModelsTest {
  @Test
  public void classifiesAPicture() throws IOException {
    assertEquals(Integer.parseInt(Recordings.text("classification/top1.txt")),
        argmax(checkRuns("classification").toFloatArray()));
  }

  @Test
  public void classifiesAPictureInIntegers() throws IOException {
    Tensor scores = checkRuns("classification_int8");
    assertEquals(DataType.UINT8, scores.getDataType());
    byte[] bytes = Recordings.bytes(scores);
    float[] values = new float[bytes.length];
    for (int i = 0; i < bytes.length; ++i) values[i] = bytes[i] & 0xFF;
    assertEquals(Integer.parseInt(Recordings.text("classification_int8/top1.txt")), argmax(values));
  }

  @Test
  public void detectsObjects() throws IOException {
    checkRuns("detection");
    checkAnswers("detection");
  }

  @Test
  public void detectsFaces() throws IOException {
    checkRuns("faces");
    checkAnswers("faces");
  }

  @Test
  public void recognisesASpokenWord() throws IOException {
    assertEquals(Integer.parseInt(Recordings.text("word/top1.txt")), argmax(checkRuns("word").toFloatArray()));
  }

  @Test
  public void readsOpenShapes() throws IOException {
    checkRuns("open_batch");
    checkAnswers("open_batch");
  }

  /** The state of each frame is the session's own output of the one before. */
  @Test
  public void followsSpeech() throws IOException {
    Tensor probabilities = Recordings.tensors("speech", "want")[0];
    double tolerance = Double.parseDouble(Recordings.text("speech/tolerance0.txt"));
    float[] expected = probabilities.toFloatArray();
    try (Model model = Recordings.model("speech");
        Session session = model.newSession(new Session.Options().setThreads(1))) {
      Tensor state = Recordings.tensors("speech/0", "in")[1];
      for (int frame = 0; frame < expected.length; ++frame) {
        Tensor[] outputs = session.run(Recordings.tensors("speech/" + frame, "in")[0], state);
        assertEquals("frame " + frame, expected[frame], outputs[0].toFloatArray()[0], tolerance);
        assertSameBits("frame " + frame, Recordings.tensors("speech/" + frame, "out"), outputs);
        state = outputs[1];
      }
    }
  }

  /** Replays all runs with one thread and two; returns the first output of the last. */
  private static Tensor checkRuns(String name) throws IOException {
    Tensor[] outputs = {};
    for (int threads = 1; threads <= 2; ++threads) {
      try (Model model = Recordings.model(name);
          Session session = model.newSession(new Session.Options().setThreads(threads))) {
        assertTrue(Recordings.runs(name) > 0);
        for (int run = 0; run < Recordings.runs(name); ++run) {
          outputs = session.run(Recordings.tensors(name + "/" + run, "in"));
          assertSameBits(name + " run " + run, Recordings.tensors(name + "/" + run, "out"), outputs);
        }
      }
    }
    return outputs[0];
  }

  static void assertSameBits(String what, Tensor[] expected, Tensor[] found) {
    assertEquals(what, expected.length, found.length);
    for (int i = 0; i < expected.length; ++i) {
      assertEquals(what, expected[i].getDataType(), found[i].getDataType());
      assertArrayEquals(what, expected[i].getShape(), found[i].getShape());
      assertArrayEquals(what, Recordings.bytes(expected[i]), Recordings.bytes(found[i]));
    }
  }

  /** Compares a single run's outputs with what another engine recorded. */
  private static void checkAnswers(String name) throws IOException {
    Tensor[] wanted = Recordings.tensors(name, "want");
    Tensor[] found = Recordings.tensors(name + "/0", "out");
    for (int i = 0; i < wanted.length; ++i) {
      float tolerance = Float.parseFloat(Recordings.text(name + "/tolerance" + i + ".txt"));
      assertArrayEquals(name, wanted[i].toFloatArray(), found[i].toFloatArray(), tolerance);
    }
  }

  private static int argmax(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; ++i) {
      if (values[i] > values[best])
        best = i;
    }
    return best;
  }
}

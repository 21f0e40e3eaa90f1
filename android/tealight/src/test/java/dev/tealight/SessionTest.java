// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;

/** Running: names, shapes, types, cancellation, deadlines, closing. The bits are RealModelsTest's business. */
public class SessionTest {
  static TealightException assertFails(ErrorCode code, String message, ThrowingRunnable call) {
    TealightException e = assertThrows(TealightException.class, call);
    assertEquals(e.getMessage(), code, e.getCode());
    assertTrue(e.getMessage(), e.getMessage().contains(message) && e.getMessage().contains("expected"));
    return e;
  }

  /** x [2, 3] transposed is y [3, 2]. */
  private static Session small(Model model) {
    return model.newSession(new Session.Options().setThreads(1));
  }

  /** Runs on another thread until stop() is called in this one; returns what the run threw. */
  static Throwable runMeanwhile(Session session, ThrowingRunnable stop) throws Throwable {
    Throwable[] thrown = new Throwable[1];
    CountDownLatch begun = new CountDownLatch(1);
    Thread runner = new Thread(() -> {
      begun.countDown();
      try {
        session.run(Tensor.allocate(DataType.FLOAT32, 4, 4));
      } catch (Throwable e) {
        thrown[0] = e;
      }
    });
    runner.start();
    begun.await();
    while (!session.handle().isRunning()) Thread.yield();
    stop.run();
    runner.join(20_000);
    assertTrue("the run goes on", !runner.isAlive());
    return thrown[0];
  }

  @Test
  public void runsByName() {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Map<String, Tensor> outputs =
          session.run(Collections.singletonMap("x", Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3)));
      assertEquals(Collections.singleton("y"), outputs.keySet());
      assertArrayEquals(new int[] {3, 2}, outputs.get("y").getShape());
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, outputs.get("y").toFloatArray(), 0);
    }
  }

  @Test
  public void runsIntoTheCallersTensors() {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Tensor x = Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Tensor y = Tensor.allocate(DataType.FLOAT32, 3, 2);
      session.run(Collections.singletonMap("x", x), Collections.singletonMap("y", y));
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, y.toFloatArray(), 0);
      x.getBuffer().putFloat(4, 20); // the same tensors again
      session.run(new Tensor[] {x}, new Tensor[] {y});
      assertArrayEquals(new float[] {1, 4, 20, 5, 3, 6}, y.toFloatArray(), 0);
    }
  }

  @Test
  public void runsEveryType() throws IOException {
    for (DataType type : DataType.values()) {
      if (type.byteSize(2) == 1)
        continue; // 4-bit tensors are constants only
      String name = type.name().toLowerCase();
      try (Model model = Recordings.model(name); Session session = small(model)) {
        assertEquals(type, session.getInputs().get(0).getDataType());
        RealModelsTest.assertSameBits(
            name, Recordings.tensors(name + "/0", "out"), session.run(Recordings.tensors(name + "/0", "in")));
      }
    }
  }

  @Test
  public void followsOpenShapes() {
    try (Model model = Recordings.model("open_batch"); Session session = model.newSession()) {
      for (int batch : new int[] {1, 150, 0, 7}) {
        Tensor[] outputs = session.run(Tensor.allocate(DataType.FLOAT32, batch, 4));
        assertArrayEquals(new int[] {batch, 3}, outputs[0].getShape());
      }
      Tensor[] inputs = {Tensor.allocate(DataType.FLOAT32, 2, 4)};
      Tensor[] outputs = {Tensor.allocate(DataType.FLOAT32, 2, 3)};
      session.run(inputs, outputs);
      assertArrayEquals(session.run(inputs)[0].toFloatArray(), outputs[0].toFloatArray(), 0);
      Tensor[] larger = {Tensor.allocate(DataType.FLOAT32, 3, 3)};
      assertFails(ErrorCode.WRONG_SHAPE, "shape [3, 3], expected [2, 3]", () -> session.run(inputs, larger));
      Tensor[] smaller = {Tensor.allocate(DataType.FLOAT32, 1, 3)};
      assertFails(ErrorCode.WRONG_SHAPE, "output", () -> session.run(inputs, smaller));
    }
  }

  @Test
  public void refusesWrongTensors() {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Tensor x = Tensor.allocate(DataType.FLOAT32, 2, 3);
      assertFails(ErrorCode.WRONG_DTYPE, "'x'", () -> session.run(Tensor.allocate(DataType.INT32, 2, 3)));
      assertFails(ErrorCode.WRONG_SHAPE, "'x'", () -> session.run(Tensor.allocate(DataType.FLOAT32, 3, 2)));
      assertFails(ErrorCode.WRONG_SHAPE, "'x'", () -> session.run(Tensor.allocate(DataType.FLOAT32, 6)));
      assertFails(ErrorCode.WRONG_DTYPE, "'y'",
          () -> session.run(new Tensor[] {x}, new Tensor[] {Tensor.allocate(DataType.UINT32, 3, 2)}));
      assertFails(ErrorCode.WRONG_SHAPE, "'y'",
          () -> session.run(new Tensor[] {x}, new Tensor[] {Tensor.allocate(DataType.FLOAT32, 6)}));
      ByteBuffer readOnly = ByteBuffer.allocateDirect(24).order(ByteOrder.nativeOrder()).asReadOnlyBuffer();
      Tensor constant = Tensor.wrap(readOnly.order(ByteOrder.nativeOrder()), DataType.FLOAT32, 3, 2);
      assertThrows(IllegalArgumentException.class, () -> session.run(new Tensor[] {x}, new Tensor[] {constant}));
      assertEquals(1, session.run(x).length); // still of use
    }
  }

  @Test
  public void refusesSharedMemory() {
    try (Model model = Recordings.model("faces"); Session session = small(model)) {
      Tensor image = Tensor.allocate(DataType.FLOAT32, session.getInputs().get(0).getShape());
      Tensor scores = Tensor.allocate(DataType.FLOAT32, session.getOutputs().get(0).getShape());
      int[] boxes = session.getOutputs().get(1).getShape();
      ByteBuffer start = image.getBuffer();
      start.limit(4420 * 4 * 4);
      Tensor inImage = Tensor.wrap(start, DataType.FLOAT32, boxes);
      assertFails(ErrorCode.INVALID_ARGUMENT, "'boxes': shares memory with input 0 'input'",
          () -> session.run(new Tensor[] {image}, new Tensor[] {scores, inImage}));
      ByteBuffer both = ByteBuffer.allocateDirect(4420 * 4 * 5).order(ByteOrder.nativeOrder());
      both.limit(4420 * 4 * 2);
      Tensor first = Tensor.wrap(both, DataType.FLOAT32, scores.getShape());
      both.limit(4420 * 4 * 5).position(4420 * 4);
      Tensor second = Tensor.wrap(both, DataType.FLOAT32, boxes);
      assertFails(ErrorCode.INVALID_ARGUMENT, "'boxes': shares memory with output 0 'scores'",
          () -> session.run(new Tensor[] {image}, new Tensor[] {first, second}));
      assertEquals(2, session.run(image).length);
    }
  }

  @Test
  public void refusesARunBeyondTheMemoryLimit() {
    try (Model model = Recordings.model("open_batch");
        Session session = model.newSession(new Session.Options().setMemoryLimit(1 << 16))) {
      assertFails(ErrorCode.OUT_OF_MEMORY, "limit", () -> session.run(Tensor.allocate(DataType.FLOAT32, 100_000, 4)));
      assertEquals(1, session.run(Tensor.allocate(DataType.FLOAT32, 10, 4)).length);
    }
  }

  @Test
  public void refusesWrongNamesAndCounts() {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Tensor x = Tensor.allocate(DataType.FLOAT32, 2, 3);
      Map<String, Tensor> inputs = new HashMap<>();
      assertFails(ErrorCode.MISSING_INPUT, "'x'", () -> session.run(inputs));
      inputs.put("image", x);
      assertFails(ErrorCode.MISSING_INPUT, "'x'", () -> session.run(inputs));
      inputs.put("x", x);
      assertFails(ErrorCode.NOT_FOUND, "'image'", () -> session.run(inputs));
      assertFails(ErrorCode.NOT_FOUND, "output 'z'",
          () -> session.run(Collections.singletonMap("x", x), new HashMap<String, Tensor>() {
            {
              put("y", Tensor.allocate(DataType.FLOAT32, 3, 2));
              put("z", x);
            }
          }));
      assertFails(ErrorCode.MISSING_INPUT, "inputs: 0", () -> session.run());
      assertFails(ErrorCode.NOT_FOUND, "inputs: 2", () -> session.run(x, x));
      assertThrows(NullPointerException.class, () -> session.run((Tensor) null));
      assertEquals(1, session.run(x).length); // still of use
    }
  }

  @Test
  public void refusesWrongOptions() {
    try (Model model = Recordings.model("word")) {
      assertThrows(IllegalArgumentException.class, () -> new Session.Options().setThreads(-1));
      assertThrows(IllegalArgumentException.class, () -> new Session.Options().setMemoryLimit(-1));
      assertFails(
          ErrorCode.INVALID_ARGUMENT, "threads", () -> model.newSession(new Session.Options().setThreads(100_000)));
      assertFails(ErrorCode.NOT_FOUND, "'other'", () -> model.newSession(new Session.Options().setEntryPoint("other")));
      assertFails(ErrorCode.OUT_OF_MEMORY, "", () -> model.newSession(new Session.Options().setMemoryLimit(1)));
      model.newSession(new Session.Options().setEntryPoint("main").setMemoryLimit(1 << 20)).close();
    }
  }

  @Test
  public void cancelsARunFromAnotherThread() throws Throwable {
    try (Model model = Recordings.model("endless"); Session session = small(model)) {
      Throwable thrown = runMeanwhile(session, session::cancel);
      assertEquals(ErrorCode.CANCELLED, ((TealightException) thrown).getCode());
    }
  }

  @Test
  public void cancellingWithoutARunDoesNothing() {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      session.cancel();
      assertEquals(1, session.run(Tensor.allocate(DataType.FLOAT32, 2, 3)).length);
    }
  }

  @Test
  public void aLateCancellationIsNotTheNextRunsBusiness() {
    // The C API keeps a request that came too late; the next run must not fall to it.
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Tensor x = Tensor.allocate(DataType.FLOAT32, 2, 3);
      Session.nativeCancel(session.handle().begin(x));
      session.handle().end();
      assertEquals(1, session.run(x).length);
    }
  }

  @Test
  public void givesUpAtTheDeadline() {
    try (Model model = Recordings.model("endless"); Session session = small(model)) {
      Tensor x = Tensor.allocate(DataType.FLOAT32, 4, 4);
      session.setDeadline(50, TimeUnit.MILLISECONDS);
      long start = System.nanoTime();
      assertFails(ErrorCode.DEADLINE, "deadline", () -> session.run(x));
      assertTrue(System.nanoTime() - start >= 50_000_000);
      assertThrows(IllegalArgumentException.class, () -> session.setDeadline(-1, TimeUnit.SECONDS));
    }
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      session.setDeadline(1, TimeUnit.DAYS);
      assertEquals(1, session.run(Tensor.allocate(DataType.FLOAT32, 2, 3)).length);
    }
  }

  @Test
  public void closingCancelsTheRunAndDoesNotWait() throws Throwable {
    int before = NativeHandle.count();
    try (Model model = Recordings.model("endless"); Session session = small(model)) {
      Throwable thrown = runMeanwhile(session, session::close);
      assertEquals(ErrorCode.CANCELLED, ((TealightException) thrown).getCode());
    }
    assertEquals(before, NativeHandle.count());
  }

  @Test
  public void refusesUseAfterClose() {
    try (Model model = Recordings.model("float32")) {
      Session session = model.newSession();
      session.close();
      session.close();
      session.cancel();
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> session.run(Tensor.allocate(DataType.FLOAT32, 2, 3)));
      assertTrue(e.getMessage(), e.getMessage().contains("session: closed"));
      assertThrows(IllegalStateException.class, session::getMemory);
      assertThrows(IllegalStateException.class, session::getProfile);
    }
  }

  @Test
  public void aSecondCallAtOnceIsRefused() throws Throwable {
    try (Model model = Recordings.model("endless"); Session session = small(model)) {
      runMeanwhile(session, () -> {
        Tensor x = Tensor.allocate(DataType.FLOAT32, 4, 4);
        assertFails(ErrorCode.BUSY, "session", () -> session.run(x));
        assertFails(ErrorCode.BUSY, "session", session::getMemory);
        assertFails(ErrorCode.BUSY, "session", session::getProfile);
        session.cancel();
      });
    }
  }

  @Test
  public void runsWhereTheSessionWasMadeOrElsewhere() throws InterruptedException {
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      Tensor[][] outputs = new Tensor[1][];
      Thread thread = new Thread(() -> outputs[0] = session.run(Tensor.of(new float[6], 2, 3)));
      thread.start();
      thread.join();
      assertArrayEquals(new float[6], outputs[0][0].toFloatArray(), 0);
    }
  }

  @Test
  public void tellsWhatItNeeds() throws IOException {
    try (Model model = Recordings.model("word"); Session session = small(model)) {
      MemoryUse use = session.getMemory();
      assertTrue(use.isExact());
      assertEquals(Recordings.text("word/memory.txt"),
          use.getArenaBytes() + " " + use.getScratchBytes() + " " + use.getWeightsBytes() + " " + use.getStateBytes());
    }
  }

  @Test
  public void profiles() throws IOException {
    try (Model model = Recordings.model("word");
        Session session = model.newSession(new Session.Options().setProfile(true))) {
      for (int i = 0; i < 3; ++i) session.run(Recordings.tensors("word/0", "in"));
      List<ProfileRow> rows = session.getProfile();
      assertTrue(rows.size() > 5);
      for (int i = 0; i < rows.size(); ++i) {
        ProfileRow row = rows.get(i);
        assertEquals(i, row.getInstruction());
        assertEquals(3, row.getRuns());
        assertTrue(row.toString(), row.getMinNanos() > 0 && 3 * row.getMinNanos() <= row.getTotalNanos());
      }
      assertTrue(rows.toString(), rows.get(0).getOp().contains("conv2d"));
    }
    try (Model model = Recordings.model("word"); Session session = model.newSession()) {
      assertEquals(Collections.emptyList(), session.getProfile());
    }
  }

  @Test
  public void everyPowerModeGivesTheSameBits() throws IOException {
    for (PowerMode mode : PowerMode.values()) {
      try (Model model = Recordings.model("word");
          Session session = model.newSession(new Session.Options().setPowerMode(mode).setBackend(Backend.CPU))) {
        RealModelsTest.assertSameBits(
            mode.name(), Recordings.tensors("word/0", "out"), session.run(Recordings.tensors("word/0", "in")));
      }
    }
  }

  @Test
  public void logTellsWhatTheSessionChose() throws IOException {
    List<String> told = new ArrayList<>();
    LogCallback log = (level, message) -> told.add(level + " " + Thread.currentThread().getId() + " " + message);
    try (Model model = Recordings.model("word");
        Session session = model.newSession(new Session.Options().setThreads(1).setLog(log))) {
      assertFalse(told.isEmpty());
      String start = "INFO " + Thread.currentThread().getId() + " ";
      for (String text : told) assertTrue(text, text.startsWith(start) && text.length() > start.length());
      int before = told.size();
      session.selfTest();
      assertEquals(before, told.size());
    }
  }

  @Test
  public void whatTheLogThrowsIsThrown() throws IOException {
    IllegalStateException refusal = new IllegalStateException("no");
    LogCallback log = (level, message) -> {
      throw refusal;
    };
    try (Model model = Recordings.model("word")) {
      Session.Options options = new Session.Options().setLog(log);
      assertSame(refusal, assertThrows(IllegalStateException.class, () -> model.newSession(options)));
      small(model).close(); // the model works as before
    }
  }

  @Test
  public void testsItselfAgainstGoldenData() throws IOException {
    try (Model model = Recordings.model("word"); Session session = small(model)) {
      session.selfTest();
      RealModelsTest.assertSameBits(
          "word", Recordings.tensors("word/0", "out"), session.run(Recordings.tensors("word/0", "in")));
    }
    try (Model model = Recordings.model("float32"); Session session = small(model)) {
      assertFails(ErrorCode.NOT_FOUND, "golden", session::selfTest);
      assertEquals(1, session.run(Tensor.allocate(DataType.FLOAT32, 2, 3)).length);
    }
  }

  @Test
  public void whatIsDroppedIsFreed() throws Exception {
    int before = NativeHandle.count();
    Recordings.model("word").newSession();
    assertTrue(NativeHandle.count() >= before + 1);
    for (int i = 0; i < 100 && NativeHandle.count() > before; ++i) {
      System.gc();
      Thread.sleep(20);
    }
    assertEquals(before, NativeHandle.count());
  }

  @Test
  public void listsAreInOrder() {
    try (Model model = Recordings.model("faces"); Session session = model.newSession()) {
      assertEquals(Arrays.asList("scores", "boxes"),
          Arrays.asList(session.getOutputs().get(0).getName(), session.getOutputs().get(1).getName()));
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;

public class ModelTest {
  private static final File FILE = Recordings.file("word/model.tea");

  /** Closes the model when it has given the recorded bits. */
  private static void check(Model model) throws IOException {
    try (Model m = model; Session session = m.newSession()) {
      RealModelsTest.assertSameBits(
          "word", Recordings.tensors("word/0", "out"), session.run(Recordings.tensors("word/0", "in")));
    }
  }

  private static void assertFails(ErrorCode code, org.junit.function.ThrowingRunnable call) {
    TealightException e = assertThrows(TealightException.class, call);
    assertEquals(e.getMessage(), code, e.getCode());
    assertEquals(code.nativeValue, e.getNativeCode());
    assertTrue(e.getMessage(), e.getMessage().contains("expected"));
  }

  /** Returns the number of a descriptor of this process that is open on the file. */
  private static int descriptorOf(File file) throws IOException {
    for (File link : new File("/proc/self/fd").listFiles()) {
      try {
        if (link.toPath().toRealPath().equals(file.toPath().toRealPath()))
          return Integer.parseInt(link.getName());
      } catch (IOException e) {
        // That of the listing itself is closed by now.
      }
    }
    throw new AssertionError("no descriptor of " + file);
  }

  @Test
  public void loadsFromAFile() throws IOException {
    check(Model.load(FILE));
    check(Model.load(FILE.getPath()));
  }

  @Test
  public void loadsFromAPathOfAnyLetters() throws IOException {
    File copy = File.createTempFile("löwe 模型 \uD83D\uDCA1", ".tea");
    try {
      Files.write(copy.toPath(), Files.readAllBytes(FILE.toPath()));
      check(Model.load(copy));
    } finally {
      assertTrue(copy.delete());
    }
  }

  @Test
  public void loadsFromAPartOfADescriptor() throws IOException {
    File archive = File.createTempFile("archive", ".bin");
    byte[] bundle = Files.readAllBytes(FILE.toPath());
    for (int offset : new int[] {0, 4096, 16384, 100}) { // the last one is copied
      byte[] content = new byte[offset + bundle.length + 33];
      System.arraycopy(bundle, 0, content, offset, bundle.length);
      Files.write(archive.toPath(), content);
      Model model;
      try (FileInputStream stream = new FileInputStream(archive)) {
        model = Model.load(descriptorOf(archive), offset, bundle.length);
      }
      check(model);
    }
    assertTrue(archive.delete());
  }

  @Test
  public void loadsFromBuffers() throws IOException {
    byte[] bundle = Files.readAllBytes(FILE.toPath());
    check(Model.load(ByteBuffer.wrap(bundle)));
    ByteBuffer unaligned = ByteBuffer.allocateDirect(bundle.length + 1);
    unaligned.position(1);
    unaligned.put(bundle).position(1);
    check(Model.load(unaligned));
    assertEquals(1, unaligned.position());
    try (FileChannel channel = FileChannel.open(FILE.toPath())) {
      check(Model.load(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size())));
    }
  }

  @Test
  public void loadsFromStreams() throws IOException {
    byte[] bundle = Files.readAllBytes(FILE.toPath());
    check(Model.load(new ByteArrayInputStream(bundle)));
    check(Model.load(new InputStream() { // knows nothing of its length
      private int at;

      @Override
      public int read() {
        return at < bundle.length ? bundle[at++] & 0xFF : -1;
      }
    }));
  }

  @Test
  public void passesOnWhatAStreamThrows() {
    IOException broken = new IOException("unplugged");
    assertEquals(broken, assertThrows(IOException.class, () -> Model.load(new InputStream() {
      @Override
      public int read() throws IOException {
        throw broken;
      }
    })));
  }

  @Test
  public void describesInputsAndOutputs() {
    try (Model model = Recordings.model("open_batch")) {
      assertEquals(Collections.singletonList("main"), model.getEntryPoints());
      TensorInfo input = model.getInputs().get(0);
      assertEquals("input", input.getName());
      assertEquals(DataType.FLOAT32, input.getDataType());
      assertArrayEquals(new int[] {-1, 4}, input.getShape());
      assertEquals("input: FLOAT32[-1, 4]", input.toString());
      assertEquals(false, input.isFixed());
      assertArrayEquals(new int[] {-1, 3}, model.getOutputs().get(0).getShape());
      assertThrows(UnsupportedOperationException.class, () -> model.getInputs().clear());
    }
  }

  @Test
  public void hasLabelsAndMetadataInAnyLetters() {
    try (Model model = Recordings.model("classification")) {
      List<String> labels = model.getLabels(model.getOutputs().get(0).getName());
      assertEquals(1001, labels.size());
      assertEquals("class 7", labels.get(7));
      assertEquals("L\u00F6we \uD83E\uDD81", labels.get(1000));
      assertEquals(Collections.emptyList(), model.getLabels("other"));
      assertEquals("tests", model.getMetadata().get("author"));
      assertEquals("\u5B89", model.getMetadata().get("Gr\u00FC\u00DFe"));
      assertEquals(1, model.getImages().size());
    }
  }

  @Test
  public void refusesAMissingFile() {
    assertFails(ErrorCode.IO, () -> Model.load("/not/there.tea"));
    assertFails(ErrorCode.IO, () -> Model.load(987654, 0, 0));
    assertFails(ErrorCode.IO, () -> Model.load(-1, 0, 0));
    assertThrows(IllegalArgumentException.class, () -> Model.load(0, -1, 0));
    assertThrows(IllegalArgumentException.class, () -> Model.load(0, 0, -1));
    assertThrows(IllegalArgumentException.class, () -> Model.load("a\0b"));
  }

  @Test
  public void refusesATruncatedBundle() throws IOException {
    byte[] bundle = Files.readAllBytes(FILE.toPath());
    for (int size : new int[] {0, 1, 127, 128, 1000, bundle.length - 1}) {
      assertFails(ErrorCode.INVALID_BUNDLE, () -> Model.load(ByteBuffer.wrap(bundle, 0, size)));
    }
    File file = File.createTempFile("truncated", ".tea");
    Files.write(file.toPath(), bundle);
    try (RandomAccessFile access = new RandomAccessFile(file, "rw")) {
      access.setLength(bundle.length / 2);
    }
    assertFails(ErrorCode.INVALID_BUNDLE, () -> Model.load(file));
    assertTrue(file.delete());
  }

  @Test
  public void refusesWhatIsNoBundle() {
    assertFails(ErrorCode.INVALID_BUNDLE, () -> Model.load(ByteBuffer.allocateDirect(4096)));
    byte[] text = new byte[4096];
    Arrays.fill(text, (byte) 'x');
    assertFails(ErrorCode.INVALID_BUNDLE, () -> Model.load(new ByteArrayInputStream(text)));
  }

  @Test
  public void refusesUseAfterClose() {
    Model model = Recordings.model("word");
    model.close();
    model.close();
    IllegalStateException e = assertThrows(IllegalStateException.class, model::getInputs);
    assertTrue(e.getMessage(), e.getMessage().contains("model: closed"));
    assertThrows(IllegalStateException.class, model::getEntryPoints);
    assertThrows(IllegalStateException.class, model::newSession);
  }

  @Test
  public void livesAsLongAsItsSessions() throws IOException {
    int before = NativeHandle.count();
    Model model = Recordings.model("word");
    Session session = model.newSession();
    model.close();
    assertEquals(before + 2, NativeHandle.count());
    RealModelsTest.assertSameBits(
        "word", Recordings.tensors("word/0", "out"), session.run(Recordings.tensors("word/0", "in")));
    session.close();
    assertEquals(before, NativeHandle.count());
  }
}

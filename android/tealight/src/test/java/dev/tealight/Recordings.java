// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Reads what tests/models/recordings.py wrote; the folder comes with -Dtealight.recordings. */
final class Recordings {
  private Recordings() {}

  static File file(String path) {
    return new File(System.getProperty("tealight.recordings"), path);
  }

  static Model model(String name) {
    return Model.load(file(name + "/model.tea"));
  }

  /** Returns in0, in1… or out0, out1… or want0… */
  static Tensor[] tensors(String folder, String prefix) throws IOException {
    List<Tensor> tensors = new ArrayList<>();
    while (file(folder + "/" + prefix + tensors.size() + ".npy").exists()) {
      tensors.add(npy(file(folder + "/" + prefix + tensors.size() + ".npy")));
    }
    return tensors.toArray(new Tensor[0]);
  }

  static int runs(String name) {
    int count = 0;
    while (file(name + "/" + count).isDirectory()) ++count;
    return count;
  }

  static String text(String path) throws IOException {
    return new String(Files.readAllBytes(file(path).toPath()), StandardCharsets.UTF_8).trim();
  }

  /** Returns the elements' bytes. */
  static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[tensor.getByteSize()];
    tensor.getBuffer().get(bytes);
    return bytes;
  }

  static Tensor npy(File file) throws IOException {
    byte[] all = Files.readAllBytes(file.toPath());
    int header = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).getShort(8);
    String text = new String(all, 10, header, StandardCharsets.ISO_8859_1);
    String dims = text.replaceAll(".*'shape': \\(([^)]*)\\).*\\s*", "$1").replaceAll("[ ,]+$", "");
    String[] parts = dims.isEmpty() ? new String[0] : dims.split(", *");
    int[] shape = new int[parts.length];
    for (int i = 0; i < shape.length; ++i) shape[i] = Integer.parseInt(parts[i]);
    Tensor tensor = Tensor.allocate(type(text.replaceAll(".*'descr': '([^']*)'.*\\s*", "$1")), shape);
    tensor.getBuffer().put(all, 10 + header, tensor.getByteSize());
    return tensor;
  }

  private static DataType type(String descr) {
    String[] codes = {"<f4", "<f2", "<f8", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "|b1", "<V2"};
    for (int i = 0; i < codes.length; ++i) {
      if (codes[i].equals(descr))
        return DataType.values()[i];
    }
    throw new IllegalArgumentException("npy: " + descr + ", expected a known type");
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One run of a session: made where it is asked for, which claims the session and binds memory; finished once. */
final class Run {
  private final Session session;
  private final long address;
  private final Tensor[] inputs;
  private final Tensor[] outputs; // null where the run decides the shape
  private final boolean ownOutputs;

  Run(Session session, Tensor[] inputs, Tensor @Nullable[] outputs) {
    this.session = session;
    this.inputs = inputs;
    this.ownOutputs = outputs == null;
    this.outputs = outputs == null ? new Tensor[session.outputs().length] : outputs;
    checkCount("input", inputs, session.inputs());
    checkCount("output", this.outputs, session.outputs());
    address = session.handle().begin(this); // which keeps the tensors alive
    boolean bound = false;
    try {
      bindInputs();
      bindOutputs();
      bound = true;
    } finally {
      if (!bound)
        session.handle().end();
    }
  }

  /** Runs, and returns the outputs. */
  Tensor[] finish() {
    try {
      runToEnd();
      for (int i = 0; i < outputs.length; ++i) {
        if (!session.outputs()[i].isFixed())
          finishOpen(i);
      }
      return outputs;
    } finally {
      session.handle().end();
    }
  }

  /** Gives the session back without running. */
  void abandon() {
    session.handle().end();
  }

  /** Any thread may call it; harmless after the end. */
  void cancel() {
    session.handle().cancel(this);
  }

  Session session() {
    return session;
  }

  private static void checkCount(String kind, Tensor[] tensors, TensorInfo[] infos) {
    if (tensors.length == infos.length)
      return;
    throw new TealightException(tensors.length < infos.length ? ErrorCode.MISSING_INPUT : ErrorCode.NOT_FOUND,
        kind + "s: " + tensors.length + ", expected " + infos.length + ": " + Arrays.toString(infos));
  }

  private void bindInputs() {
    for (int i = 0; i < inputs.length; ++i) {
      Tensor t = inputs[i];
      Session.nativeSetInput(address, i, t.getDataType().nativeValue, t.shape(), t.address, t.byteSize());
    }
  }

  private void bindOutputs() {
    for (int i = 0; i < outputs.length; ++i) {
      TensorInfo info = session.outputs()[i];
      if (ownOutputs && info.isFixed())
        outputs[i] = Tensor.allocate(info.getDataType(), info.shape());
      if (outputs[i] == null && ownOutputs) {
        Session.nativeUnsetOutput(address, i);
      } else {
        bindOutput(i, outputs[i], info);
      }
    }
  }

  private void bindOutput(int i, Tensor t, TensorInfo info) {
    if (t.isReadOnly()) {
      throw new IllegalArgumentException(
          "output '" + info.getName() + "': a read-only buffer, expected one that can be written");
    }
    if (info.isFixed() && !Arrays.equals(t.shape(), info.shape())) {
      throw wrongShape(info, t.shape(), info.shape());
    }
    Session.nativeSetOutput(address, i, t.getDataType().nativeValue, t.shape(), t.address, t.byteSize());
  }

  private void runToEnd() {
    while (true) {
      try {
        Session.nativeRun(address, session.deadlineNanos());
        return;
      } catch (TealightException e) {
        // A cancellation that nobody asked for was meant for an earlier run, which ended before it noticed.
        if (e.getCode() != ErrorCode.CANCELLED || session.handle().wasCancelled())
          throw e;
      }
    }
  }

  private void finishOpen(int i) {
    TensorInfo info = session.outputs()[i];
    long[] values = Session.nativeOutputInfo(address, i);
    int[] shape = new int[values.length - 1];
    for (int j = 0; j < shape.length; ++j) shape[j] = (int) values[j + 1];
    if (ownOutputs) {
      outputs[i] = Tensor.allocate(DataType.of(values[0]), shape);
      Session.nativeCopyOutput(address, i, outputs[i].address, outputs[i].byteSize());
    } else if (!Arrays.equals(shape, outputs[i].shape())) {
      throw wrongShape(info, outputs[i].shape(), shape);
    }
  }

  private static TealightException wrongShape(TensorInfo info, int[] found, int[] expected) {
    return new TealightException(ErrorCode.WRONG_SHAPE,
        "output '" + info.getName() + "': shape " + Arrays.toString(found) + ", expected " + Arrays.toString(expected));
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Runs a model: owns the memory and the threads that runs need.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea"));
 *     Session session = model.newSession(new Session.Options().setThreads(2))) {
 *   TensorInfo image = session.getInputs().get(0);
 *   Tensor pixels = Tensor.allocate(image.getDataType(), image.getShape());
 *   Map<String, Tensor> results = session.run(Collections.singletonMap(image.getName(), pixels));
 *   System.out.println(results);
 * }
 * }</pre>
 *
 * <p>A session does one run at a time: a call that finds another one running throws {@link TealightException} with
 * {@link ErrorCode#BUSY}. {@link #cancel} and {@link #close} may be called from any thread at any time. Runs block;
 * {@link #runAsync} and {@link SessionFutures} do not.
 */
public final class Session implements AutoCloseable {
  private final Handle handle;
  private final TensorInfo[] inputs;
  private final TensorInfo[] outputs;
  private volatile long deadlineNanos;

  Session(Model model, Options options) {
    long modelAddress = model.handle().enter();
    boolean made = false;
    try {
      int entryPoint = options.entryPointIndex(model);
      this.inputs = model.infos(entryPoint, true).toArray(new TensorInfo[0]);
      this.outputs = model.infos(entryPoint, false).toArray(new TensorInfo[0]);
      this.handle = new Handle(this, model.handle(),
          nativeCreate(modelAddress, entryPoint, options.threads, options.backend.ordinal(),
              options.powerMode.ordinal(), options.profile, options.memoryLimit, options.log));
      made = true;
    } finally {
      if (!made)
        model.handle().leave();
    }
  }

  /** Returns the inputs of this session's entry point in order. */
  public List<TensorInfo> getInputs() {
    return Collections.unmodifiableList(Arrays.asList(inputs));
  }

  /** Returns the outputs of this session's entry point in order. */
  public List<TensorInfo> getOutputs() {
    return Collections.unmodifiableList(Arrays.asList(outputs));
  }

  /**
   * Runs on inputs by name.
   *
   * @return new tensors by name, in order
   * @throws TealightException an input is missing, unknown or does not fit; the run failed, was cancelled or took too
   *     long; another call on this session is running
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    return byName(run(inOrder(inputs, this.inputs, "input")));
  }

  /** Runs on inputs by name and writes outputs by name into the given tensors, see {@link #run(Tensor[], Tensor[])}. */
  public void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    run(inOrder(inputs, this.inputs, "input"), inOrder(outputs, this.outputs, "output"));
  }

  /** Runs on inputs in the order of {@link #getInputs} and returns new tensors in the order of {@link #getOutputs}. */
  public Tensor[] run(Tensor... inputs) {
    return new Run(this, inputs, null).finish();
  }

  /**
   * Runs on inputs in order and writes the outputs into the given tensors. Nothing is copied, and next to nothing is
   * allocated: the way for a camera's frames.
   *
   * @throws TealightException also when an output's shape is not that of its tensor
   */
  public void run(Tensor[] inputs, Tensor[] outputs) {
    new Run(this, inputs, outputs).finish();
  }

  /**
   * Runs on a thread of the library and returns at once. What is wrong with the call itself is thrown here; all else
   * goes to the callback, which is called exactly once.
   *
   * @param inputs by name; not to be written before the callback
   * @param executor calls the callback, for example the main thread's; where it refuses, the library's thread does
   */
  public void runAsync(Map<String, Tensor> inputs, Executor executor, RunCallback callback) {
    RunThreads.start(prepare(inputs), executor, callback);
  }

  /**
   * Runs the golden inputs of the bundle and compares the outputs bit for bit: whether this phone computes right.
   *
   * @throws TealightException {@link ErrorCode#NOT_FOUND} when the bundle has no golden data, {@link ErrorCode#RUNTIME}
   *     with the first difference
   */
  public void selfTest() {
    long address = handle.begin(this);
    try {
      nativeSelfTest(address);
    } finally {
      handle.end();
    }
  }

  /** Limits the time of each following run, which then fails with {@link ErrorCode#DEADLINE}; 0 = no limit. */
  public void setDeadline(long duration, TimeUnit unit) {
    if (duration < 0) {
      throw new IllegalArgumentException("deadline: " + duration + " " + unit + ", expected 0 or more");
    }
    deadlineNanos = unit.toNanos(duration);
  }

  /** Makes the run in progress, if any, fail with {@link ErrorCode#CANCELLED} soon. Any thread may call it. */
  public void cancel() {
    handle.cancel();
  }

  /** Returns what this session needs. */
  public MemoryUse getMemory() {
    long address = handle.begin(this);
    try {
      return new MemoryUse(nativeMemory(address));
    } finally {
      handle.end();
    }
  }

  /** Returns the times of each instruction so far; empty without {@link Options#setProfile}. */
  public List<ProfileRow> getProfile() {
    long address = handle.begin(this);
    try {
      String[] texts = nativeProfileTexts(address);
      long[] numbers = nativeProfileNumbers(address);
      List<ProfileRow> rows = new ArrayList<>(texts.length / 2);
      for (int i = 0; i < texts.length / 2; ++i) {
        rows.add(new ProfileRow(texts[2 * i], texts[2 * i + 1], numbers, 4 * i));
      }
      return rows;
    } finally {
      handle.end();
    }
  }

  /**
   * Cancels the run in progress, if any, and frees the session when that has left. Never waits; any thread may call.
   */
  @Override
  public void close() {
    handle.close();
  }

  Run prepare(Map<String, Tensor> inputs) {
    return new Run(this, inOrder(inputs, this.inputs, "input"), null);
  }

  Handle handle() {
    return handle;
  }

  TensorInfo[] inputs() {
    return inputs;
  }

  TensorInfo[] outputs() {
    return outputs;
  }

  long deadlineNanos() {
    return deadlineNanos;
  }

  Map<String, Tensor> byName(Tensor[] tensors) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (int i = 0; i < tensors.length; ++i) named.put(outputs[i].getName(), tensors[i]);
    return named;
  }

  private static Tensor[] inOrder(Map<String, Tensor> tensors, TensorInfo[] infos, String kind) {
    Tensor[] ordered = new Tensor[infos.length];
    for (int i = 0; i < infos.length; ++i) {
      String name = infos[i].getName();
      Tensor tensor = tensors.get(name);
      if (tensor == null) {
        throw new TealightException(
            ErrorCode.MISSING_INPUT, kind + " '" + name + "': not given, expected all of " + Arrays.toString(infos));
      }
      ordered[i] = tensor;
    }
    if (tensors.size() == infos.length)
      return ordered;
    for (String name : tensors.keySet()) {
      boolean known = false;
      for (TensorInfo info : infos) known |= info.getName().equals(name);
      if (!known) {
        throw new TealightException(
            ErrorCode.NOT_FOUND, kind + " '" + name + "': not there, expected " + Arrays.toString(infos));
      }
    }
    return ordered;
  }

  /** How a session runs; setters return this object. */
  public static final class Options {
    private @Nullable String entryPoint;
    private int threads;
    private Backend backend = Backend.AUTO;
    private PowerMode powerMode = PowerMode.BALANCED;
    private boolean profile;
    private long memoryLimit;
    private @Nullable LogCallback log;

    /** The entry point to run, by name; the first one by default. */
    public Options setEntryPoint(String name) {
      entryPoint = name;
      return this;
    }

    /** 0, the default, leaves it to the power mode. */
    public Options setThreads(int threads) {
      if (threads < 0)
        throw new IllegalArgumentException("threads: " + threads + ", expected 0 or more");
      this.threads = threads;
      return this;
    }

    /** What runs the model; {@link Backend#AUTO} by default. */
    public Options setBackend(Backend backend) {
      this.backend = Objects.requireNonNull(backend);
      return this;
    }

    /** Which cores to use; {@link PowerMode#BALANCED} by default. */
    public Options setPowerMode(PowerMode powerMode) {
      this.powerMode = Objects.requireNonNull(powerMode);
      return this;
    }

    /** Records the time of every instruction for {@link Session#getProfile}. */
    public Options setProfile(boolean profile) {
      this.profile = profile;
      return this;
    }

    /** Bytes of activations and working memory, beyond which making a session or running it fails; 0 = no limit. */
    public Options setMemoryLimit(long bytes) {
      if (bytes < 0)
        throw new IllegalArgumentException("memory limit: " + bytes + " bytes, expected 0 or more");
      memoryLimit = bytes;
      return this;
    }

    /** Is told what the session chooses while it is made; null, the default, for nobody. */
    public Options setLog(@Nullable LogCallback log) {
      this.log = log;
      return this;
    }

    @Override
    public String toString() {
      return "entry point " + (entryPoint == null ? "0" : entryPoint) + ", threads " + threads + ", backend " + backend
          + ", power mode " + powerMode + ", profile " + profile + ", memory limit " + memoryLimit;
    }

    int entryPointIndex(Model model) {
      if (entryPoint == null)
        return 0;
      List<String> names = model.getEntryPoints();
      int index = names.indexOf(entryPoint);
      if (index < 0) {
        throw new TealightException(
            ErrorCode.NOT_FOUND, "entry point '" + entryPoint + "': not there, expected one of " + names);
      }
      return index;
    }
  }

  /** The native session: lets one run in at a time, and knows whom a cancellation is meant for. */
  static final class Handle extends NativeHandle {
    private final Model.Handle model; // entered
    private boolean running;
    private boolean cancelled;
    private @Nullable Object held;

    Handle(Session session, Model.Handle model, long address) {
      super(session, "session", address);
      this.model = model;
    }

    /** Returns the address for the one call that may use it until end(); the object stays alive as long. */
    synchronized long begin(Object holds) {
      long address = enter();
      if (running) {
        leave();
        throw new TealightException(
            ErrorCode.BUSY, "session: another call is running, expected one at a time; use one session per thread");
      }
      running = true;
      cancelled = false;
      held = holds;
      return address;
    }

    void end() {
      synchronized (this) {
        running = false;
        held = null;
      }
      leave();
    }

    synchronized void cancel() {
      if (!running)
        return;
      cancelled = true;
      nativeCancel(address());
    }

    /** Cancels this run, but no later one. */
    synchronized void cancel(Run run) {
      if (held == run)
        cancel();
    }

    /** Returns whether someone cancelled the run that began last. */
    synchronized boolean wasCancelled() {
      return cancelled;
    }

    synchronized boolean isRunning() {
      return running;
    }

    @Override
    void onClose() {
      cancel();
    }

    @Override
    void free(long address) {
      nativeDestroy(address);
      model.leave();
    }
  }

  // Called by nativeCreate, which finds it by its name and types.
  private static void log(Object callback, int level, String message) {
    LogLevel[] levels = LogLevel.values();
    ((LogCallback) callback).onMessage(levels[Math.min(level, levels.length - 1)], message);
  }

  private static native long nativeCreate(long model, int entryPoint, int threads, int backend, int powerMode,
      boolean profile, long memoryLimit, @Nullable Object log);

  private static native void nativeDestroy(long session);

  static native void nativeSetInput(long session, int i, int dtype, int[] shape, long address, long bytes);

  static native void nativeSetOutput(long session, int i, int dtype, int[] shape, long address, long bytes);

  static native void nativeUnsetOutput(long session, int i);

  static native void nativeRun(long session, long deadlineNanos);

  // The dtype and the dims.
  static native long[] nativeOutputInfo(long session, int i);

  static native void nativeCopyOutput(long session, int i, long address, long bytes);

  static native void nativeCancel(long session);

  private static native void nativeSelfTest(long session);

  private static native long[] nativeMemory(long session);

  // Name and op of each row.
  private static native String[] nativeProfileTexts(long session);

  // Instruction, runs, total_ns and min_ns of each row.
  private static native long[] nativeProfileNumbers(long session);
}

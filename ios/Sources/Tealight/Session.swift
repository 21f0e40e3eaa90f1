// SPDX-License-Identifier: Apache-2.0
import CTealight
import Foundation

/// One caller's state for one model: its memory, its threads, its bound inputs.
///
/// ```swift
/// let model = try Model(contentsOf: URL(fileURLWithPath: "model.tea"))
/// let session = try Session(model, options: .init(threads: 2))
/// let image = try Tensor<Float>(repeating: 0.5, shape: model.inputs()[0].fixedShape ?? [])
/// let outputs = try await session.run([model.inputs()[0].name: image], deadline: .seconds(5))
/// for name in outputs.names { print(name, outputs[name]?.shape ?? []) }
/// ```
///
/// **Threads.** A session may be used from any thread and any task, one call at a time: a second call during a run
/// throws `busy` and disturbs nothing. ``cancel()`` and ``close()`` are welcome at any time. It is a class with a lock
/// and not an actor, for three reasons: an actor would run models on the few threads that Swift's tasks share, it would
/// queue what should be refused (the frame that comes while the last one is computed), and its memory could not be lent
/// to a closure without a copy. For runs at the same time, make a session for each; the model is shared.
///
/// It is `@unchecked Sendable` since the compiler cannot see that: every field that changes is touched under `lock` or
/// between `acquire` and `release`, of which one caller at a time can be inside.
public final class Session: @unchecked Sendable {
  /// What it runs; shared with other sessions.
  public let model: Model
  /// What it is fed, in the model's order.
  public let inputs: [TensorDescription]
  /// What it gives, in the model's order.
  public let outputs: [TensorDescription]

  private let inputIndex: [String: Int]
  private let outputIndex: [String: Int]
  private let log: LogBox?
  /// Touched between acquire and release.
  private var bound: [Binding]

  private let lock = NSLock()
  // Under the lock:
  private var handle: OpaquePointer?
  private var isClosed = false
  private var isInUse = false
  private var isRunning = false
  /// A cancel came during the run in progress.
  private var isCancelled = false

  /// What an input reads.
  private struct Binding {
    var tensor: AnyTensor?
    /// Made by withUnsafeMutableInput, so nobody else sees the memory.
    var isOwn = false
  }

  /// Plans the run and takes the memory for it; see ``Options``.
  public init(_ model: Model, options: Options = Options()) throws(TealightError) {
    let entryPoint = try options.entryPointIndex(in: model)
    let log = options.log.map(LogBox.init)
    self.model = model
    self.log = log
    inputs = model.inputs(entryPoint: entryPoint)
    outputs = model.outputs(entryPoint: entryPoint)
    inputIndex = Session.index(inputs)
    outputIndex = Session.index(outputs)
    bound = Array(repeating: Binding(), count: inputs.count)
    var made: OpaquePointer?
    try options.withC(entryPoint: entryPoint, log: log) { c throws(TealightError) in
      try TealightError.check { tl_session_create(model.handle, c, &made, $0) }
    }
    handle = made
  }

  deinit {
    tl_session_destroy(handle)
  }

  private static func index(_ list: [TensorDescription]) -> [String: Int] {
    Dictionary(list.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  // ---- one caller at a time ----

  private static let closed = TealightError(.closed, "session: closed, expected an open one; make a new Session")

  /// Lets one caller in; everybody else gets `busy`, and `closed` after close().
  func acquire() throws(TealightError) -> OpaquePointer {
    lock.lock()
    defer { lock.unlock() }
    guard !isClosed, let handle else { throw Session.closed }
    guard !isInUse else {
      throw TealightError(
        .busy, "session: in use by another call, expected one call at a time; make a session for each")
    }
    isInUse = true
    return handle
  }

  /// The caller leaves; the last one out of a closed session frees it.
  func release() {
    lock.lock()
    isInUse = false
    let dead = isClosed ? handle : nil
    if isClosed { handle = nil }
    lock.unlock()
    free(dead)
  }

  private func free(_ dead: OpaquePointer?) {
    guard let dead else { return }
    tl_session_destroy(dead)
    bound.removeAll()
  }

  private func use<R>(_ body: (OpaquePointer) throws(TealightError) -> R) throws(TealightError) -> R {
    let handle = try acquire()
    defer { release() }
    return try body(handle)
  }

  /// Frees the session's memory and threads, at once or, where a call is running, as soon as that ends: a run in
  /// progress is cancelled. Returns without waiting. Later calls throw `closed`; closing twice is no error.
  public func close() {
    lock.lock()
    isClosed = true
    let dead = isInUse ? nil : handle
    if isInUse { cancelLocked() } else { handle = nil }
    lock.unlock()
    free(dead)
  }

  /// Makes the run in progress throw `cancelled`, on whichever thread it is; does nothing when none is.
  public func cancel() {
    lock.lock()
    cancelLocked()
    lock.unlock()
  }

  private func cancelLocked() {
    guard isRunning, let handle else { return }
    isCancelled = true
    tl_session_cancel(handle)
  }

  func beginRun() throws(TealightError) {
    lock.lock()
    defer { lock.unlock() }
    guard !isClosed else { throw Session.closed }  // while the inputs were bound
    isRunning = true
    isCancelled = false
  }

  func endRun() {
    lock.lock()
    isRunning = false
    lock.unlock()
  }

  /// Gives the runtime the cancel that came between beginRun and its run.
  func cancelIfAsked() {
    lock.lock()
    if isCancelled { cancelLocked() }
    lock.unlock()
  }

  // ---- inputs ----

  /// Binds a tensor to an input. No copy: the session shares the tensor's memory until something else is bound.
  public func setInput(_ name: String, to tensor: some TensorConvertible) throws(TealightError) {
    try use { handle throws(TealightError) in try bind(tensor.anyTensor, to: name, handle) }
  }

  func bind(_ tensor: AnyTensor, to name: String, _ handle: OpaquePointer) throws(TealightError) {
    let i = try find(name, "input", inputIndex, inputs)
    guard tensor.shape.count <= 8 else {
      throw TealightError(.wrongShape, "input '\(name)': rank \(tensor.shape.count), expected at most 8")
    }
    var description = tensor.description
    try TealightError.check { tl_session_set_input(handle, i, &description, $0) }
    bound[i] = Binding(tensor: tensor)
  }

  /// Lends memory of the session that an input is read from, so that it is filled in place: no copy, and no allocation
  /// but for the first call and those that change the shape.
  ///
  /// - Parameters:
  ///   - name: Of the input.
  ///   - type: Its element type.
  ///   - shape: Needed where the model's shape is not fixed; nil keeps the last one.
  ///   - body: Given the memory as the last call left it. The pointer is not valid outside of it.
  public func withUnsafeMutableInput<Scalar: TensorScalar, R>(
    _ name: String, as type: Scalar.Type = Scalar.self, shape: [Int]? = nil,
    _ body: (UnsafeMutableBufferPointer<Scalar>) throws -> R
  ) throws -> R {
    let handle = try acquire()
    defer { release() }
    let i = try find(name, "input", inputIndex, inputs)
    let current = bound[i]
    if !current.isOwn || (shape != nil && current.tensor?.shape != shape) {
      guard let wanted = shape ?? inputs[i].fixedShape else {
        throw TealightError(.wrongShape, "input '\(name)': shape \(inputs[i].shape), expected a fixed one; pass shape:")
      }
      let zeros = try Tensor<Scalar>(shape: wanted) {
        UnsafeMutableRawBufferPointer($0).initializeMemory(as: UInt8.self, repeating: 0)
      }
      try bind(zeros.anyTensor, to: name, handle)
      bound[i].isOwn = true
    }
    guard let tensor = bound[i].tensor else { fatalError("an owned input has a tensor") }
    guard tensor.dataType == Scalar.dataType else {
      throw TealightError(.wrongDtype, "input '\(name)': \(Scalar.dataType), expected \(tensor.dataType)")
    }
    return try body(tensor.storage.bytes.assumingMemoryBound(to: Scalar.self))
  }

  func find(
    _ name: String, _ kind: String, _ index: [String: Int], _ list: [TensorDescription]
  ) throws(TealightError) -> Int {
    guard let i = index[name] else {
      let known = list.map { "'\($0.name)'" }.joined(separator: ", ")
      throw TealightError(.notFound, "\(kind) '\(name)': not of this model, expected one of \(known)")
    }
    return i
  }

  // ---- running; Session+Async.swift has the variants that await ----

  /// Runs on the calling thread and the session's own, with the inputs that are bound.
  ///
  /// - Parameter deadline: Throws `deadline` when the run takes longer, counted from this call.
  public func run(deadline: Duration? = nil) throws(TealightError) {
    try use { handle throws(TealightError) in try run(handle, deadline) }
  }

  /// Binds the inputs, runs, and returns copies of all outputs. Inputs that are not named keep what they had.
  @discardableResult
  public func run(
    _ inputs: [String: any TensorConvertible], deadline: Duration? = nil
  ) throws(TealightError) -> Outputs {
    try use { handle throws(TealightError) in
      for (name, tensor) in inputs { try bind(tensor.anyTensor, to: name, handle) }
      try run(handle, deadline)
      return try copyOutputs(handle)
    }
  }

  /// The runtime's 0 means no deadline, so what is over already becomes 1.
  static func nanoseconds(_ deadline: Duration?) -> UInt64 {
    guard let deadline else { return 0 }
    let (seconds, attoseconds) = deadline.components
    guard seconds < Int64(1) << 32 else { return 0 }
    return UInt64(max(1, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
  }

  private func run(_ handle: OpaquePointer, _ deadline: Duration?) throws(TealightError) {
    try beginRun()
    defer { endRun() }
    try TealightError.check { tl_session_run(handle, Session.nanoseconds(deadline), $0) }
  }

  /// Runs the golden inputs of the bundle and compares the outputs with the recorded ones, bit for bit; on a device of
  /// yours that is the proof that it computes what the desktop did. Unbinds all inputs.
  ///
  /// - Throws: `notFound` when the bundle has none, `runtime` with the first difference.
  public func selfTest() throws(TealightError) {
    try use { handle throws(TealightError) in
      for i in bound.indices { bound[i] = Binding() }
      try TealightError.check { tl_session_self_test(handle, $0) }
    }
  }

  // ---- outputs ----

  /// A copy of an output of the last run.
  public func output<Scalar: TensorScalar>(
    _ name: String, as type: Scalar.Type = Scalar.self
  ) throws(TealightError) -> Tensor<Scalar> {
    try use { handle throws(TealightError) in try Tensor(copyOutput(name, handle)) }
  }

  /// Lends an output of the last run where it lies: no copy, no allocation. The pointer is not valid outside of `body`.
  public func withUnsafeOutput<Scalar: TensorScalar, R>(
    _ name: String, as type: Scalar.Type = Scalar.self, _ body: (UnsafeBufferPointer<Scalar>) throws -> R
  ) throws -> R {
    let handle = try acquire()
    defer { release() }
    let tensor = try output(name, handle)
    guard DataType(tensor.dtype) == Scalar.dataType else {
      throw TealightError(.wrongDtype, "output '\(name)': \(Scalar.dataType), expected \(DataType(tensor.dtype))")
    }
    let bytes = UnsafeRawBufferPointer(start: tensor.data, count: tensor.size_bytes)
    return try body(bytes.assumingMemoryBound(to: Scalar.self))
  }

  /// The shape of an output of the last run.
  public func outputShape(_ name: String) throws(TealightError) -> [Int] {
    try use { handle throws(TealightError) in try output(name, handle).dims }
  }

  private func output(_ name: String, _ handle: OpaquePointer) throws(TealightError) -> tl_tensor {
    let i = try find(name, "output", outputIndex, outputs)
    var tensor = tl_tensor()
    try TealightError.check { tl_session_get_output(handle, i, &tensor, $0) }
    return tensor
  }

  private func copyOutput(_ name: String, _ handle: OpaquePointer) throws(TealightError) -> AnyTensor {
    let tensor = try output(name, handle)
    let bytes = UnsafeRawBufferPointer(start: tensor.data, count: tensor.size_bytes)
    return AnyTensor(dataType: DataType(tensor.dtype), shape: tensor.dims, bytes: bytes)
  }

  func copyOutputs(_ handle: OpaquePointer) throws(TealightError) -> Outputs {
    var tensors: [String: AnyTensor] = [:]
    for description in outputs { tensors[description.name] = try copyOutput(description.name, handle) }
    return Outputs(names: outputs.map(\.name), tensors: tensors)
  }
}

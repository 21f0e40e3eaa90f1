// SPDX-License-Identifier: Apache-2.0
// Runs that are awaited: they block no thread of Swift's tasks, and end when their task is cancelled.
import CTealight

extension Session {
  /// Runs with the inputs that are bound, on the session's own threads.
  ///
  /// - Parameter deadline: Throws `deadline` when the run takes longer.
  /// - Throws: `cancelled` when the task is.
  public func run(deadline: Duration? = nil) async throws(TealightError) {
    let handle = try acquire()
    defer { release() }
    try await run(handle, deadline)
  }

  /// Binds the inputs, runs, and returns copies of all outputs. Inputs that are not named keep what they had.
  @discardableResult
  public func run(
    _ inputs: [String: any TensorConvertible], deadline: Duration? = nil
  ) async throws(TealightError) -> Outputs {
    let handle = try acquire()
    defer { release() }
    for (name, tensor) in inputs { try bind(tensor.anyTensor, to: name, handle) }
    try await run(handle, deadline)
    return try copyOutputs(handle)
  }

  private func run(_ handle: OpaquePointer, _ deadline: Duration?) async throws(TealightError) {
    try beginRun()
    defer { endRun() }
    nonisolated(unsafe) let handle = handle
    let error = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        start(handle, Session.nanoseconds(deadline), continuation)
      }
    } onCancel: {
      cancel()  // the session is this call's alone by now: nobody else's run is stopped
    }
    guard error.code == TL_OK else { throw TealightError(error) }
  }

  /// Resumes with what the runtime reports, on a thread of the session: what follows the await is elsewhere, so that
  /// the session may be freed there.
  private func start(
    _ handle: OpaquePointer, _ deadline: UInt64, _ continuation: UnsafeContinuation<tl_error, Never>
  ) {
    let waiting = Unmanaged.passRetained(Waiting(continuation))
    var error = tl_error()
    let status = tl_session_run_async(
      handle, deadline,
      { context, _, error in
        guard let context, let error else { return }
        Unmanaged<Waiting>.fromOpaque(context).takeRetainedValue().continuation.resume(returning: error.pointee)
      }, waiting.toOpaque(), &error)
    if status == TL_OK {
      cancelIfAsked()
    } else {
      waiting.takeRetainedValue().continuation.resume(returning: error)
    }
  }

  /// Carries a continuation through a plain pointer.
  private final class Waiting {
    let continuation: UnsafeContinuation<tl_error, Never>

    init(_ continuation: UnsafeContinuation<tl_error, Never>) {
      self.continuation = continuation
    }
  }
}

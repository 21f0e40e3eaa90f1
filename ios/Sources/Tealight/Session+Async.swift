// SPDX-License-Identifier: Apache-2.0
// Runs that are awaited: they block no thread of Swift's tasks, and end when their task is cancelled.
import CTealight
import Dispatch

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

  /// Binds the inputs, runs, and returns copies of all outputs.
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
    // The session is this call's alone by now, so that a cancelled task cannot stop somebody else's run.
    let error = await withTaskCancellationHandler {
      var error: tl_error
      repeat {
        error = await once(handle, Session.nanoseconds(deadline))
      } while endRun(error.code)
      return error
    } onCancel: {
      cancel()
    }
    guard error.code == TL_OK else { throw TealightError(error) }
  }

  private func once(_ handle: OpaquePointer, _ deadline: UInt64) async -> tl_error {
    nonisolated(unsafe) let handle = handle
    return await withUnsafeContinuation { continuation in
      DispatchQueue.global().async {
        var error = tl_error()
        _ = tl_session_run(handle, deadline, &error)
        continuation.resume(returning: error)
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// What a session costs: memory before a run, time after it.
import CTealight

extension Session {
  /// What a session needs, in bytes; exact for models of fixed shapes.
  public struct Memory: Hashable, Sendable {
    /// Activations.
    public let arenaBytes: UInt64
    /// The kernels' working memory.
    public let scratchBytes: UInt64
    /// Mapped from the file, shared between sessions and processes.
    public let weightsBytes: UInt64
    /// The session's own tables.
    public let stateBytes: UInt64
    /// False when shapes are not fixed: the figures are then those of the last run.
    public let isExact: Bool
  }

  /// The time that one instruction took, over all runs.
  public struct ProfileRow: Hashable, Sendable {
    /// Of the source model's node.
    public let name: String
    /// What it does.
    public let op: String
    /// How often it ran.
    public let runs: UInt64
    /// Of all runs.
    public let totalTime: Duration
    /// Of the fastest run.
    public let minimumTime: Duration
  }

  /// What the session needs.
  public var memory: Memory {
    get throws(TealightError) {
      let handle = try acquire()
      defer { release() }
      var memory = tl_memory()
      _ = tl_session_memory(handle, &memory)  // busy is the only failure, and acquire saw to that
      return Memory(
        arenaBytes: memory.arena_bytes, scratchBytes: memory.scratch_bytes, weightsBytes: memory.weights_bytes,
        stateBytes: memory.state_bytes, isExact: memory.exact != 0)
    }
  }

  /// Times per instruction in the order of execution; empty unless the options ask for them.
  public var profile: [ProfileRow] {
    get throws(TealightError) {
      let handle = try acquire()
      defer { release() }
      return (0..<tl_session_profile_count(handle)).compactMap { i in
        var row = tl_profile_row()
        guard tl_session_profile_row(handle, i, &row) == TL_OK else { return nil }
        return ProfileRow(
          name: String(cString: row.name), op: String(cString: row.op), runs: row.runs,
          totalTime: .nanoseconds(Int64(clamping: row.total_ns)),
          minimumTime: .nanoseconds(Int64(clamping: row.min_ns)))
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import Tealight

/// Times of a model's runs on this device.
public struct Benchmark: Sendable {
  public struct Row: Equatable, Sendable, Identifiable {
    public let id: Int
    public let name: String
    public let op: String
    /// Of all instructions' time.
    public let part: Double
  }

  public let median: Duration
  public let slowest: Duration
  public let memory: Session.Memory
  /// The slowest instructions, at most ten.
  public let rows: [Row]

  /// Runs on zeros, in tasks that can be cancelled.
  public static func measure(
    _ model: Model, options: Session.Options = .init(), runs: Int = 50
  ) async throws -> Benchmark {
    var options = options
    options.profile = true
    let session = try Session(model, options: options)
    for input in session.inputs {
      guard let shape = input.fixedShape else {
        throw TealightError(.wrongShape, "input '\(input.name)': shape \(input.shape), expected a fixed one")
      }
      try session.setInput(input.name, to: zeros(input.dataType, shape))
    }
    try await session.run()  // the first run touches the memory
    var times: [Duration] = []
    for _ in 0..<max(1, runs) {
      let start = ContinuousClock.now
      try await session.run()
      times.append(ContinuousClock.now - start)
    }
    times.sort()
    let rows = try session.profile
    let total = rows.reduce(Duration.zero) { $0 + $1.totalTime }
    let slowest = rows.enumerated().sorted { $0.element.totalTime > $1.element.totalTime }.prefix(10).map { i, row in
      Row(id: i, name: row.name, op: row.op, part: total == .zero ? 0 : row.totalTime / total)
    }
    return try Benchmark(
      median: times[times.count / 2], slowest: times[times.count - 1], memory: session.memory, rows: slowest)
  }

  private static func zeros(_ type: DataType, _ shape: [Int]) throws -> any TensorConvertible {
    switch type {
    case .float32: try Tensor<Float>(repeating: 0, shape: shape)
    case .uint8: try Tensor<UInt8>(repeating: 0, shape: shape)
    case .int8: try Tensor<Int8>(repeating: 0, shape: shape)
    case .int32: try Tensor<Int32>(repeating: 0, shape: shape)
    case .int64: try Tensor<Int64>(repeating: 0, shape: shape)
    default: throw TealightError(.wrongDtype, "input: \(type), expected float32, uint8, int8, int32 or int64")
    }
  }
}

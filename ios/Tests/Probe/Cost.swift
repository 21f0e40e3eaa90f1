// SPDX-License-Identifier: Apache-2.0
// The time of a run through Swift beside that of the C API: turn by turn in one process.
import CTealight
import Foundation
import Tealight

struct Cost {
  let swift: Session
  let c: OpaquePointer
  let input: UnsafeMutableRawPointer

  init(_ bundle: URL) throws {
    swift = try Session(Model(contentsOf: bundle), options: .init(threads: 1))
    var model: OpaquePointer?, session: OpaquePointer?
    var options = tl_session_options()
    tl_session_options_init(&options, MemoryLayout<tl_session_options>.size)
    options.threads = 1
    precondition(tl_model_open(bundle.path, &model, nil) == TL_OK)
    precondition(tl_session_create(model, &options, &session, nil) == TL_OK)
    c = session!
    var info = tl_tensor()
    precondition(tl_model_input_info(model, 0, 0, &info) == TL_OK)
    input = .allocate(byteCount: info.size_bytes, alignment: 64)
    input.initializeMemory(as: UInt8.self, repeating: 0, count: info.size_bytes)
    info.data = input
    precondition(tl_session_set_input(c, 0, &info, nil) == TL_OK)
  }

  /// Prints medians in ms of the C API, the blocking and the awaited run, and of the quotients of neighbours.
  func run(seconds: Double) async throws {
    try swift.withUnsafeMutableInput(swift.inputs[0].name, as: Float.self) { $0[0] = 0 }
    let (c, blocking) = try await alternate(seconds: seconds) { try runBlocking() }
    let (_, awaited) = try await alternate(seconds: seconds / 2) { try await swift.run() }
    try compareAnswers()
    let report: [String: Double] = [
      "c_ms": median(c), "swift_ms": median(blocking), "awaited_ms": median(awaited),
      "quotient": median(zip(c, blocking).map { $1 / $0 }), "runs": Double(c.count),
    ]
    print(String(decoding: try JSONSerialization.data(withJSONObject: report, options: .sortedKeys), as: UTF8.self))
  }

  /// Times of the C API and of another way to run, turn by turn.
  func alternate(seconds: Double, _ other: () async throws -> Void) async throws -> ([Double], [Double]) {
    var times: [[Double]] = [[], []]
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      for side in times[0].count % 2 == 0 ? [0, 1] : [1, 0] {
        let start = ContinuousClock.now
        if side == 0 { runC() } else { try await other() }
        let time = (ContinuousClock.now - start).components
        times[side].append(Double(time.attoseconds) * 1e-15)
      }
    }
    return (times[0], times[1])
  }

  func runC() {
    precondition(tl_session_run(c, 0, nil) == TL_OK)
  }

  /// In an async function `run` would be the awaited one.
  func runBlocking() throws {
    try swift.run()
  }

  func compareAnswers() throws {
    var tensor = tl_tensor()
    precondition(tl_session_get_output(c, 0, &tensor, nil) == TL_OK)
    try swift.withUnsafeOutput(swift.outputs[0].name, as: Float.self) { values in
      precondition(memcmp(values.baseAddress!, tensor.data!, tensor.size_bytes) == 0)
    }
  }

  func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

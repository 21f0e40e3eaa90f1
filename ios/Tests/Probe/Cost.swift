// SPDX-License-Identifier: Apache-2.0
// The time of a run through Swift beside that of the C API: turn by turn in one process, the same session memory.
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

  /// Prints the medians in ms, and of the quotients of neighbours.
  func run(seconds: Double) throws {
    let name = swift.inputs[0].name, output = swift.outputs[0].name
    var times: [[Double]] = [[], []]
    var sums: [Float] = [0, 0]
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      for side in times[0].count % 2 == 0 ? [0, 1] : [1, 0] {
        let clock = ContinuousClock.now
        if side == 0 {
          var tensor = tl_tensor()
          precondition(tl_session_run(c, 0, nil) == TL_OK)
          precondition(tl_session_get_output(c, 0, &tensor, nil) == TL_OK)
          sums[0] += tensor.data.assumingMemoryBound(to: Float.self)[0]
        } else {
          try swift.withUnsafeMutableInput(name, as: Float.self) { $0[0] = 0 }
          try swift.run()
          sums[1] += try swift.withUnsafeOutput(output, as: Float.self) { $0[0] }
        }
        let time = (ContinuousClock.now - clock).components
        times[side].append(Double(time.attoseconds) * 1e-15)
      }
    }
    precondition(sums[0] == sums[1])
    let quotients = zip(times[0], times[1]).map { $1 / $0 }
    print(
      #"{"c_ms": \#(median(times[0])), "swift_ms": \#(median(times[1])), "quotient": \#(median(quotients)), "runs": \#(quotients.count)}"#
    )
  }

  func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

// SPDX-License-Identifier: Apache-2.0
// Calls of malloc during a run without copies, counted by the library that the test preloads.
import Foundation
import Tealight

struct Allocations {
  let session: Session
  let count: @convention(c) () -> UInt

  init(_ bundle: URL) throws {
    session = try Session(Model(contentsOf: bundle), options: .init(threads: 2))
    guard let symbol = dlsym(nil, "allocation_calls") else { fatalError("allocation_calls: not preloaded") }
    count = unsafeBitCast(symbol, to: (@convention(c) () -> UInt).self)
  }

  /// Prints calls per run, of the fourth to the hundredth, and of a control that allocates once.
  func run() throws {
    let input = session.inputs[0].name, output = session.outputs[0].name
    var sum: Float = 0
    func once() throws {
      try session.withUnsafeMutableInput(input, as: Float.self) { $0.update(repeating: 0.5) }
      try session.run()
      sum += try session.withUnsafeOutput(output, as: Float.self) { $0[0] }
    }
    for _ in 0..<3 { try once() }
    let before = count()
    for _ in 0..<97 { try once() }
    let after = count()
    let control = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 64)
    let afterControl = count()
    control.deallocate()
    print(#"{"runs": \#(after - before), "control": \#(afterControl - after), "first": \#(sum / 100)}"#)
  }
}

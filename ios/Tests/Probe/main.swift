// SPDX-License-Identifier: Apache-2.0
// What the tests run as a program of its own: under a sanitizer, beside a counting allocator, against the clock.
// Usage: probe stress FOLDER SECONDS SEED | leak BUNDLE | allocations BUNDLE | cost BUNDLE SECONDS
import CTealight
import Foundation

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "stress":
  try await Stress(
    folder: URL(fileURLWithPath: arguments[2]), seconds: Double(arguments[3])!, seed: UInt64(arguments[4])!
  ).run()
case "leak":  // what the leak checker must find, or its silence says nothing
  var model: OpaquePointer?
  precondition(tl_model_open(arguments[2], &model, nil) == TL_OK)
  model = nil
case "allocations": try Allocations(URL(fileURLWithPath: arguments[2])).run()
case "cost": try await Cost(URL(fileURLWithPath: arguments[2])).run(seconds: Double(arguments[3])!)
default: fatalError("usage: probe stress | leak | allocations | cost")
}

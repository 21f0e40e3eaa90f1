// SPDX-License-Identifier: Apache-2.0
// Real models give the known answers, and the bits that Python gave.
import Foundation
import Tealight
import Testing

struct AnswerTests {
  @Test(arguments: [
    "classification", "classification_int8", "detection", "faces", "word", "speech", "open_batch", "float32", "float16",
    "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "bfloat16",
  ])
  func sameBitsAsPython(_ name: String) async throws {
    let session = try TestData.session(name)
    #expect(TestData.runs(name) > 0)
    for run in 0..<TestData.runs(name) {
      let outputs = try await session.run(TestData.inputs(session, "\(name)/\(run)"))
      let expected = try TestData.tensors("\(name)/\(run)", "out")
      #expect(outputs.names.count == expected.count)
      for (output, wanted) in zip(outputs.names, expected) {
        let got = try #require(outputs[output])
        #expect(got.shape == wanted.shape)
        #expect(got.dataType == wanted.dataType)
        #expect(got.bytes == wanted.bytes)
      }
    }
  }

  @Test(arguments: ["classification", "word"])
  func knownClass(_ name: String) async throws {
    let session = try TestData.session(name)
    let scores = try await session.run(TestData.inputs(session, "\(name)/0"))
      .tensor(session.outputs[0].name, as: Float.self).scalars
    #expect(try scores.firstIndex(of: scores.max() ?? 0) == Int(TestData.text("\(name)/top1.txt")))
  }

  @Test(arguments: ["detection", "faces"])
  func knownNumbers(_ name: String) async throws {
    let session = try TestData.session(name)
    let outputs = try await session.run(TestData.inputs(session, "\(name)/0"))
    for (i, wanted) in try TestData.tensors(name, "want").enumerated() {
      let got: Tensor<Float> = try outputs.tensor(outputs.names[i])
      let limit = try #require(Float(TestData.text("\(name)/tolerance\(i).txt")))
      for (x, y) in try zip(got.scalars, Tensor<Float>(wanted).scalars) where !(abs(x - y) <= limit) {
        Issue.record("\(name) output \(i): \(x), expected \(y) within \(limit)")
        break
      }
    }
  }

  /// The model's state goes from run to run; each frame is written where the session reads it.
  @Test func speechInARecording() throws {
    let session = try TestData.session("speech")
    let state = try #require(session.inputs.first { $0.name != "input" }).name
    try session.setInput(state, to: Tensor<Float>(repeating: 0, shape: [2, 1, 128]))
    var frames = 0
    for run in 0..<TestData.runs("speech") {
      let recorded = try TestData.inputs(session, "speech/\(run)")
      let frame = try Tensor<Float>(#require(recorded["input"]).anyTensor)
      try session.withUnsafeMutableInput("input", as: Float.self) { input in
        for (i, x) in frame.scalars.enumerated() { input[i] = x }
      }
      try session.run()
      for name in session.outputs.map(\.name) {
        let output = try session.output(name, as: Float.self)
        if output.count == 1 {
          frames += output.scalars[0] > 0.5 ? 1 : 0
        } else {
          try session.setInput(state, to: output)
        }
      }
    }
    #expect(frames == 98)
  }

  @Test func labels() throws {
    let model = try TestData.model("word")
    let labels = model.labels(of: model.outputs()[0].name)
    #expect(labels.count == 12)
    #expect(try labels[#require(Int(TestData.text("word/top1.txt")))] == "on")
    #expect(model.labels(of: "nope").isEmpty)
  }
}

// SPDX-License-Identifier: Apache-2.0
// Real models give the known answers, and the bits that Python gave.
import Foundation
import Tealight
import Testing

struct AnswerTests {
  @Test(arguments: TestData.cases)
  func sameBitsAsPython(_ test: Case) async throws {
    let session = try test.session()
    let outputs = try await session.run(test.feed())
    #expect(outputs.names.count == test.outputs.count)
    for wanted in test.outputs {
      let got = try #require(outputs[wanted.name])
      let expected = try wanted.load()
      #expect(got.shape == expected.shape)
      #expect(got.dataType == expected.dataType)
      #expect(got.bytes == expected.bytes)
    }
  }

  @Test func thereAreCasesOfEachKind() {
    let names = TestData.cases.map(\.name)
    for name in ["kitten_float", "kitten_int8", "img3", "img13_decoded", "yes"] { #expect(names.contains(name)) }
  }

  @Test(arguments: TestData.cases.filter { $0.top1 != nil })
  func knownClass(_ test: Case) async throws {
    let outputs = try await test.session().run(test.feed())
    let output = try #require(outputs[test.outputs[0].name])
    let scores = output.dataType == .float32 ? try Tensor<Float>(output).scalars : output.bytes.map { Float($0) }
    #expect(scores.firstIndex(of: scores.max() ?? 0) == test.top1)
  }

  @Test func speechInARecording() throws {
    struct Names: Decodable {
      let state: String
      let outputs: [String]
    }
    let names: Names = try TestData.json("audio.json")
    let audio = try TestData.floats("audio.raw")
    let expected = try TestData.floats("audio.prob.raw")
    let session = try Session(Model(contentsOf: TestData.url("vad.tea")))
    try session.setInput(names.state, to: Tensor<Float>(repeating: 0, shape: [2, 1, 128]))
    var probabilities: [Float] = []
    for k in 0..<expected.count {
      try session.withUnsafeMutableInput("input", as: Float.self) { frame in
        for i in frame.indices { frame[i] = audio[512 * k + i] }
      }
      try session.run()
      for name in names.outputs {
        let output = try session.output(name, as: Float.self)
        if output.count == 1 {
          probabilities.append(output.scalars[0])
        } else {
          try session.setInput(names.state, to: output)
        }
      }
    }
    #expect(probabilities == expected)
    #expect(probabilities.count { $0 > 0.5 } == 98)
  }
}

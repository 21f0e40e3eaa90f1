// SPDX-License-Identifier: Apache-2.0
// What a session does, and what it refuses: every misuse has its error.
import Foundation
import Tealight
import Testing

struct SessionTests {
  let model: Model
  let session: Session
  let input: String
  let output: String
  let flower: Tensor<Float>

  init() throws {
    model = try Model(contentsOf: ModelTests.iris)
    session = try Session(model)
    input = session.inputs[0].name
    output = session.outputs[0].name
    flower = try Tensor([5.1, 3.5, 1.4, 0.2] as [Float], shape: [1, 4])
  }

  @Test func awaitedRunsGiveTheSameBits() async throws {
    let expected = try blockingRun().tensor(output, as: Float.self)
    #expect(try await session.run([input: flower]).tensor(output, as: Float.self) == expected)
    try await session.run()
    #expect(try session.output(output) == expected)
  }

  /// In an async function `session.run` means the variant that awaits.
  func blockingRun() throws -> Outputs { try session.run([input: flower]) }

  @Test func everyWayToRunGivesTheSameBits() throws {
    let expected = try session.run([input: flower]).tensor(output, as: Float.self)
    try session.setInput(input, to: flower)
    try session.run()
    #expect(try session.output(output) == expected)
    #expect(try session.outputShape(output) == [1, 3])
    try session.withUnsafeMutableInput(input, as: Float.self, shape: [1, 4]) { buffer in
      for (i, x) in flower.scalars.enumerated() { buffer[i] = x }
    }
    try session.run()
    #expect(try session.withUnsafeOutput(output, as: Float.self) { Array($0) } == expected.scalars)
  }

  @Test func aBoundTensorIsNotChangedByLaterWrites() throws {
    var changing = flower
    let expected = try session.run([input: flower]).tensor(output, as: Float.self)
    try session.setInput(input, to: changing)
    changing.withUnsafeMutableBufferPointer { $0[0] = 100 }
    try session.run()
    #expect(try session.output(output) == expected)
  }

  @Test func outputsAreNotChangedByLaterRuns() throws {
    let first = try session.run([input: flower])
    let before = try first.tensor(output, as: Float.self).scalars
    _ = try session.run([input: Tensor<Float>(repeating: 1, shape: [1, 4])])
    #expect(try first.tensor(output, as: Float.self).scalars == before)
  }

  @Test func shapesMayChangeFromRunToRun() throws {
    for batch in [1, 7, 3] {
      let rows = try Tensor<Float>(repeating: 0.5, shape: [batch, 4])
      #expect(try session.run([input: rows])[output]?.shape == [batch, 3])
      try session.withUnsafeMutableInput(input, as: Float.self, shape: [batch, 4]) { #expect($0.count == batch * 4) }
    }
  }

  @Test func wrongNames() throws {
    #expect(code { try session.setInput("nope", to: flower) } == .notFound)
    #expect(code { _ = try session.run(["nope": flower]) } == .notFound)
    #expect(code { try session.withUnsafeMutableInput("nope", as: Float.self) { _ in } } == .notFound)
    let outputs = try session.run([input: flower])
    #expect(outputs["nope"] == nil)
    #expect(code { _ = try outputs.tensor("nope", as: Float.self) } == .notFound)
    #expect(code { _ = try session.output("nope", as: Float.self) } == .notFound)
    var options = Session.Options()
    options.entryPoint = "nope"
    #expect(code { _ = try Session(model, options: options) } == .notFound)
    options = Session.Options()
    options.isa = "nope"
    #expect(code { _ = try Session(model, options: options) } == .notFound)
  }

  @Test func wrongTypes() throws {
    let integers = try Tensor<Int32>(repeating: 1, shape: [1, 4])
    #expect(code { try session.setInput(input, to: integers) } == .wrongDtype)
    #expect(code { try session.withUnsafeMutableInput(input, as: Int8.self, shape: [1, 4]) { _ in } } == .wrongDtype)
    try session.withUnsafeMutableInput(input, as: Float.self, shape: [1, 4]) { _ in }
    #expect(code { try session.withUnsafeMutableInput(input, as: Int32.self) { _ in } } == .wrongDtype)
    let outputs = try session.run([input: flower])
    #expect(code { _ = try outputs.tensor(output, as: Double.self) } == .wrongDtype)
    #expect(code { _ = try session.output(output, as: Int8.self) } == .wrongDtype)
    #expect(code { try session.withUnsafeOutput(output, as: Int8.self) { _ in } } == .wrongDtype)
  }

  @Test func wrongShapes() throws {
    #expect(code { try session.setInput(input, to: Tensor<Float>(repeating: 0, shape: [1, 5])) } == .wrongShape)
    #expect(code { try session.setInput(input, to: Tensor<Float>(repeating: 0, shape: [4])) } == .wrongShape)
    let deep = try Tensor<Float>(repeating: 0, shape: Array(repeating: 1, count: 9))
    #expect(code { try session.setInput(input, to: deep) } == .wrongShape)
    #expect(code { try session.withUnsafeMutableInput(input, as: Float.self) { _ in } } == .wrongShape)
    #expect(code { try session.withUnsafeMutableInput(input, as: Float.self, shape: [1, -4]) { _ in } } == .wrongShape)
  }

  @Test func wrongOrder() throws {
    #expect(code { try session.run() } == .missingInput)
    #expect(code { _ = try session.output(output, as: Float.self) } != nil)
  }

  @Test func closed() async throws {
    _ = try await session.run([input: flower])
    session.close()
    session.close()
    session.cancel()
    #expect(code { try session.run() } == .closed)
    #expect(await code { try await session.run() } == .closed)
    #expect(code { _ = try blockingRun() } == .closed)
    #expect(code { try session.setInput(input, to: flower) } == .closed)
    #expect(code { _ = try session.output(output, as: Float.self) } == .closed)
    #expect(code { _ = try session.memory } == .closed)
    #expect(code { _ = try session.profile } == .closed)
  }

  @Test func tooManyThreads() throws {
    #expect(code { _ = try Session(model, options: .init(threads: 100_000)) } == .invalidArgument)
    #expect(code { _ = try Session(model, options: .init(threads: -1)) } == .invalidArgument)
  }

  @Test func memoryLimit() throws {
    let promise = try TestData.session("classification").memory
    #expect(promise.isExact)
    #expect(promise.weightsBytes > 1 << 20)
    var options = Session.Options()
    options.memoryLimit = 1000
    #expect(code { _ = try TestData.session("classification", options) } == .outOfMemory)
    options.memoryLimit = promise.arenaBytes + promise.scratchBytes
    let session = try TestData.session("classification", options)
    _ = try session.run(TestData.inputs(session, "classification/0"))
  }

  @Test(arguments: [Session.PowerMode.balanced, .performance, .saving])
  func powerModesAndBackendsGiveTheSameBits(_ mode: Session.PowerMode) throws {
    var options = Session.Options()
    options.powerMode = mode
    options.backend = .cpu
    let expected = try session.run([input: flower]).tensor(output, as: Float.self)
    let other = try Session(model, options: options)
    #expect(try other.run([input: flower]).tensor(output, as: Float.self) == expected)
    options.backend = Session.Backend(rawValue: 77)
    #expect(code { _ = try Session(model, options: options) } == .invalidArgument)
  }

  @Test func selfTestOfABundleWithGoldenData() throws {
    let session = try TestData.session("word")
    let inputs = try TestData.inputs(session, "word/0")
    let before = try session.run(inputs)[session.outputs[0].name]?.bytes
    try session.selfTest()
    #expect(code { try session.run() } == .missingInput)  // it unbinds them
    #expect(try session.run(inputs)[session.outputs[0].name]?.bytes == before)
  }

  @Test func selfTestWithoutGoldenData() throws {
    #expect(code { try session.selfTest() } == .notFound)
  }

  @Test func logTellsWhatTheSessionChose() throws {
    let messages = Counter()
    var options = Session.Options(threads: 1)
    options.log = { level, message in if level == .info && !message.isEmpty { messages.increment() } }
    _ = try Session(model, options: options)
    #expect(messages.value > 0)
  }

  @Test func profile() throws {
    var options = Session.Options(threads: 1)
    options.profile = true
    let session = try Session(model, options: options)
    #expect(try self.session.profile.isEmpty)
    for _ in 0..<3 { _ = try session.run([input: flower]) }
    let rows = try session.profile
    #expect(!rows.isEmpty)
    #expect(rows.allSatisfy { $0.runs == 3 && $0.totalTime >= $0.minimumTime && !$0.op.isEmpty })
  }

  @Test func errorsSayWhatIsWrong() throws {
    do {
      try session.setInput("x1", to: flower)
    } catch {
      #expect(error.message == "input 'x1': not of this model, expected one of '\(input)'")
      #expect(error.localizedDescription == error.message)
      #expect("\(error)".contains("NOT_FOUND"))
    }
    #expect(TealightError.Code(rawValue: 9999).description == "code 9999")
    #expect(TealightError.Code.closed.description == "CLOSED")
  }
}

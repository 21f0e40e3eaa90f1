// SPDX-License-Identifier: Apache-2.0
// Eight tasks share sessions that they run, cancel and close at random: whatever comes is an answer with the right bits
// or one of the errors that belong to it.
import Foundation
import Tealight

/// What the tasks share: sessions that any of them may close and replace.
final class Slots: @unchecked Sendable {
  private let lock = NSLock()
  private var sessions: [Session?]
  private var counts: [String: Int] = [:]

  init(count: Int) { sessions = Array(repeating: nil, count: count) }

  subscript(i: Int) -> Session? {
    get { lock.withLock { sessions[i] } }
    set { lock.withLock { sessions[i] = newValue } }
  }

  func count(_ what: String) { lock.withLock { counts[what, default: 0] += 1 } }
  var report: String {
    lock.withLock { counts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ") }
  }
}

/// A model with one input and the bits of its answer.
struct Subject: Sendable {
  let model: Model
  let input: String
  let output: String
  let tensor: Tensor<Float>
  let expected: Tensor<Float>

  init(_ url: URL) throws {
    model = try Model(contentsOf: url)
    input = model.inputs()[0].name
    output = model.outputs()[0].name
    let shape = model.inputs()[0].fixedShape ?? [1]
    let values = (0..<shape.reduce(1, *)).map { Float($0 % 17) / 17 }
    tensor = try Tensor(values, shape: shape)
    expected = try Session(model).run([input: tensor]).tensor(output, as: Float.self)
  }
}

struct Stress {
  let folder: URL
  let seconds: Double
  let seed: UInt64

  func run() async throws {
    let subjects = try ["word/model.tea", "detection/model.tea"].map { try Subject(folder.appendingPathComponent($0)) }
    let slots = Slots(count: 4)
    let end = ContinuousClock.now + .seconds(seconds)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<8 {
        group.addTask {
          var random = Random(state: seed &* 8 &+ UInt64(worker) &+ 1)
          while ContinuousClock.now < end { try await step(&random, subjects, slots) }
        }
      }
      try await group.waitForAll()
    }
    print(slots.report)
  }

  /// One random act on one random session. Slot i belongs to subject i % 2.
  func step(_ random: inout Random, _ subjects: [Subject], _ slots: Slots) async throws {
    let i = Int.random(in: 0..<4, using: &random)
    let subject = subjects[i % 2]
    guard let session = slots[i] else {
      slots[i] = try Session(subject.model, options: .init(threads: Int.random(in: 1...2, using: &random)))
      slots.count("opened")
      return
    }
    let act = Int.random(in: 0..<100, using: &random)
    let microseconds = Int.random(in: 1...3000, using: &random)
    do {
      switch act {
      case 0..<40: try check(await session.run([subject.input: subject.tensor]), subject)
      case 40..<50: try blocking(session, subject)
      case 50..<60:
        try check(await session.run([subject.input: subject.tensor], deadline: .microseconds(microseconds)), subject)
      case 60..<75:
        let task = Task { try await session.run([subject.input: subject.tensor]) }
        try await Task.sleep(for: .microseconds(microseconds))
        task.cancel()
        try check(await task.value, subject)
      case 75..<85: session.cancel()
      case 85..<92: try lend(session, subject)
      case 92..<96: session.close()
      default: slots[i] = nil  // closed when the last task lets go of it
      }
      slots.count("done")
    } catch let error as TealightError {
      switch error.code {
      case .closed:
        slots[i] = nil
        slots.count("closed")
      case .busy, .cancelled, .deadline, .missingInput: slots.count("code\(error.code.rawValue)")
      default: throw error
      }
    }
  }

  func blocking(_ session: Session, _ subject: Subject) throws {
    try check(session.run([subject.input: subject.tensor]), subject)
  }

  func lend(_ session: Session, _ subject: Subject) throws {
    try session.withUnsafeMutableInput(subject.input, as: Float.self) { buffer in
      subject.tensor.withUnsafeBufferPointer { values in for i in buffer.indices { buffer[i] = values[i] } }
    }
    _ = try session.memory
  }

  func check(_ outputs: Outputs, _ subject: Subject) throws {
    guard try outputs.tensor(subject.output, as: Float.self) == subject.expected else {
      throw TealightError(.runtime, "stress: other bits than alone, expected the same")
    }
  }
}

/// xorshift64: the same acts for the same seed.
struct Random: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

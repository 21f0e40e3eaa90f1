// SPDX-License-Identifier: Apache-2.0
// Eight threads and eight tasks share sessions that they run, cancel and close at random: whatever comes is an answer
// with the right bits, or one of the errors that belong to it.
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
  let subjects: [Subject]
  let slots = Slots(count: 4)
  let seconds: Double
  let seed: UInt64

  init(folder: URL, seconds: Double, seed: UInt64) throws {
    subjects = try ["word/model.tea", "detection/model.tea"].map { try Subject(folder.appendingPathComponent($0)) }
    self.seconds = seconds
    self.seed = seed
  }

  func run() async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    let threads = DispatchGroup()
    for worker in 0..<8 {
      threads.enter()
      Thread.detachNewThread {
        var random = Random(state: seed &* 16 &+ UInt64(worker) &+ 1)
        while ContinuousClock.now < end { attempt(&random, blocking) }
        threads.leave()
      }
    }
    await withTaskGroup(of: Void.self) { group in
      for worker in 8..<16 {
        group.addTask {
          var random = Random(state: seed &* 16 &+ UInt64(worker) &+ 1)
          while ContinuousClock.now < end { await attempt(&random, awaiting) }
        }
      }
    }
    await withCheckedContinuation { continuation in
      threads.notify(queue: .global()) { continuation.resume() }
    }
    print(slots.report)
  }

  /// The session in a random slot, made where there is none. Slot i belongs to subject i % 2.
  func pick(_ random: inout Random) throws -> (slot: Int, subject: Subject, session: Session) {
    let i = Int.random(in: 0..<4, using: &random)
    if let session = slots[i] { return (i, subjects[i % 2], session) }
    let made = try Session(subjects[i % 2].model, options: .init(threads: Int.random(in: 1...2, using: &random)))
    slots[i] = made
    slots.count("opened")
    return (i, subjects[i % 2], made)
  }

  typealias Choice = (slot: Int, subject: Subject, session: Session)

  func attempt(_ random: inout Random, _ act: (inout Random, Choice) throws -> Void) {
    var slot = 0
    do {
      let choice = try pick(&random)
      slot = choice.slot
      try act(&random, choice)
      slots.count("done")
    } catch {
      settle(error, slot)
    }
  }

  func attempt(_ random: inout Random, _ act: (inout Random, Choice) async throws -> Void) async {
    var slot = 0
    do {
      let choice = try pick(&random)
      slot = choice.slot
      try await act(&random, choice)
      slots.count("done")
    } catch {
      settle(error, slot)
    }
  }

  /// Counts an error that belongs here; any other ends the program.
  func settle(_ error: any Error, _ slot: Int) {
    guard let error = error as? TealightError else { fatalError("\(error)") }
    switch error.code {
    case .closed: slots[slot] = nil
    case .busy, .cancelled, .deadline: break
    default: fatalError("\(error)")
    }
    slots.count("\(error.code)")
  }

  /// What a thread does to a session.
  func blocking(_ random: inout Random, _ choice: Choice) throws {
    let (slot, subject, session) = choice
    let microseconds = Int.random(in: 1...3000, using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<40: try check(session.run([subject.input: subject.tensor]), subject)
    case 40..<60:
      try check(session.run([subject.input: subject.tensor], deadline: .microseconds(microseconds)), subject)
    case 60..<75: session.cancel()
    case 75..<92: try lend(session, subject)
    case 92..<96: session.close()
    default: slots[slot] = nil  // closed when the last one lets go of it
    }
  }

  /// What a task does to a session.
  func awaiting(_ random: inout Random, _ choice: Choice) async throws {
    let (subject, session) = (choice.subject, choice.session)
    let microseconds = Int.random(in: 1...3000, using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<50: try check(await session.run([subject.input: subject.tensor]), subject)
    case 50..<70:
      try check(await session.run([subject.input: subject.tensor], deadline: .microseconds(microseconds)), subject)
    case 70..<95:
      let task = Task { try await session.run([subject.input: subject.tensor]) }
      try await Task.sleep(for: .microseconds(microseconds))
      task.cancel()
      try check(await task.value, subject)
    default: session.close()
    }
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

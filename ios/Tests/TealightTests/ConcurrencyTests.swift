// SPDX-License-Identifier: Apache-2.0
// Runs on several tasks and threads, cancelled, too late, closed under way. A run of `endless` ends in no other way.
import Foundation
import Tealight
import Testing

@Suite(.serialized)
struct ConcurrencyTests {
  func endless() throws -> Session {
    let session = try TestData.session("endless", .init(threads: 1))
    try session.setInput("x", to: Tensor<Float>(repeating: 1, shape: [4, 4]))
    return session
  }

  /// Starts a run and comes back when it is under way.
  func start(_ session: Session) async throws -> Task<TealightError.Code?, Never> {
    let task = Task { await code { try await session.run() } }
    while code({ _ = try session.memory }) != .busy { try await Task.sleep(for: .milliseconds(1)) }
    return task
  }

  let short = Duration.milliseconds(5)

  @Test func aCancelledTaskCancelsItsRunAndNoOther() async throws {
    let session = try endless()
    let task = try await start(session)
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(await code { try await session.run(deadline: short) } == .deadline)
  }

  @Test func aTaskCancelledBeforeItsRunDoesNotRun() async throws {
    let session = try endless()
    let gate = AsyncStream<Void>.makeStream()
    let task = Task {
      for await _ in gate.stream {}  // ends when the task is cancelled
      return await code { try await session.run() }
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    #expect(await code { try await session.run(deadline: short) } == .deadline)
  }

  @Test func aTaskThatIsRefusedDoesNotCancelTheOther() async throws {
    let session = try endless()
    let task = try await start(session)
    let other = Task { await code { try await session.run() } }
    other.cancel()
    #expect(await other.value == .busy)
    try await Task.sleep(for: short)
    #expect(code { _ = try session.memory } == .busy)
    session.cancel()
    #expect(await task.value == .cancelled)
  }

  @Test func cancelStopsTheRunInProgress() async throws {
    let session = try endless()
    session.cancel()  // nothing runs: no effect
    let task = try await start(session)
    session.cancel()
    #expect(await task.value == .cancelled)
    session.cancel()
    #expect(await code { try await session.run(deadline: short) } == .deadline)
  }

  @Test func cancelStopsARunOnACallersThread() async throws {
    let session = try endless()
    let ended = AsyncStream<TealightError.Code?>.makeStream()
    Thread.detachNewThread {
      ended.continuation.yield(code { try session.run() })
      ended.continuation.finish()
    }
    while code({ _ = try session.memory }) != .busy { try await Task.sleep(for: .milliseconds(1)) }
    try await Task.sleep(for: short)
    session.cancel()
    for await result in ended.stream { #expect(result == .cancelled) }
  }

  func blocking(_ session: Session, _ deadline: Duration) throws { try session.run(deadline: deadline) }

  @Test func deadline() async throws {
    let session = try endless()
    #expect(code { try blocking(session, short) } == .deadline)
    #expect(await code { try await session.run(deadline: short) } == .deadline)
    #expect(code { try blocking(session, .seconds(-1)) } == .deadline)
    let quick = try TestData.session("float32")
    _ = try await quick.run(TestData.inputs(quick, "float32/0"), deadline: .seconds(3600))
    _ = try await quick.run(TestData.inputs(quick, "float32/0"), deadline: .seconds(Int64.max))
  }

  @Test func aSecondCallDuringARunIsRefused() async throws {
    let session = try endless()
    let task = try await start(session)
    #expect(await code { try await session.run() } == .busy)
    #expect(code { try blocking(session, short) } == .busy)
    #expect(code { _ = try session.output("y", as: Float.self) } == .busy)
    #expect(code { try session.withUnsafeMutableInput("x", as: Float.self) { _ in } } == .busy)
    session.cancel()
    #expect(await task.value == .cancelled)
  }

  @Test func callsFromInsideALoanAreRefused() throws {
    let session = try TestData.session("float32")
    _ = try session.run(TestData.inputs(session, "float32/0"))
    try session.withUnsafeOutput(session.outputs[0].name, as: Float.self) { values in
      #expect(code { try session.run() } == .busy)
      session.close()  // takes effect afterwards: the loan is still good
      #expect(values.reduce(0, +) == 15)
    }
    #expect(code { try session.run() } == .closed)
  }

  @Test func closeEndsARunInProgress() async throws {
    let session = try endless()
    let task = try await start(session)
    session.close()
    #expect(await task.value == .cancelled)
    #expect(code { try blocking(session, short) } == .closed)
  }

  @Test func manyTasksOnSessionsOfOneModel() async throws {
    let model = try TestData.model("word")
    let expected = try TestData.tensors("word/0", "out")[0].bytes
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<8 {
        group.addTask {
          let session = try Session(model, options: .init(threads: 2))
          let inputs = try TestData.inputs(session, "word/0")
          for _ in 0..<20 { _ = try await session.run(inputs) }
          return try await session.run(inputs)[session.outputs[0].name]?.bytes ?? []
        }
      }
      for try await bytes in group { #expect(bytes == expected) }
    }
  }
}

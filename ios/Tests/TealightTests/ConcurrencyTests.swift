// SPDX-License-Identifier: Apache-2.0
// Runs on several tasks and threads, cancelled, too late, closed under way. slow.tea runs for about half a second.
import Foundation
import Tealight
import Testing

@Suite(.serialized)
struct ConcurrencyTests {
  func slowSession() throws -> Session {
    let session = try Session(Model(contentsOf: TestData.url("slow.tea")), options: .init(threads: 1))
    try session.setInput(session.inputs[0].name, to: Tensor<Float>(repeating: 1, shape: [1024, 1024]))
    return session
  }

  /// Starts a run and comes back when it is under way.
  func start(_ session: Session) async throws -> Task<TealightError.Code?, Never> {
    let task = Task { await code { try await session.run() } }
    while code({ _ = try session.memory }) != .busy { try await Task.sleep(for: .milliseconds(1)) }
    return task
  }

  @Test func aCancelledTaskCancelsItsRunAndNoOther() async throws {
    let session = try slowSession()
    let task = try await start(session)
    task.cancel()
    #expect(await task.value == .cancelled)
    try await session.run()
  }

  @Test func aTaskCancelledBeforeItsRunDoesNotRun() async throws {
    let session = try slowSession()
    let gate = AsyncStream<Void>.makeStream()
    let task = Task {
      for await _ in gate.stream {}  // ends when the task is cancelled
      return await code { try await session.run() }
    }
    task.cancel()
    #expect(await task.value == .cancelled)
    try await session.run()
  }

  @Test func cancelStopsTheRunInProgress() async throws {
    let session = try slowSession()
    session.cancel()  // nothing runs: no effect
    let task = try await start(session)
    session.cancel()
    #expect(await task.value == .cancelled)
    session.cancel()
    try await session.run()
  }

  @Test func deadline() async throws {
    let session = try slowSession()
    #expect(code { try session.run(deadline: .milliseconds(5)) } == .deadline)
    #expect(await code { try await session.run(deadline: .milliseconds(5)) } == .deadline)
    #expect(code { try session.run(deadline: .seconds(-1)) } == .deadline)
    try await session.run(deadline: .seconds(3600))
  }

  @Test func aSecondCallDuringARunIsRefusedAndDisturbsNothing() async throws {
    let session = try slowSession()
    let task = try await start(session)
    #expect(await code { try await session.run() } == .busy)
    #expect(code { try session.run() } == .busy)
    #expect(code { _ = try session.output(session.outputs[0].name, as: Float.self) } == .busy)
    #expect(await task.value == nil)
  }

  @Test func callsFromInsideALoanAreRefused() throws {
    let session = try slowSession()
    try session.run()
    try session.withUnsafeOutput(session.outputs[0].name, as: Float.self) { values in
      #expect(code { try session.run() } == .busy)
      session.close()  // takes effect afterwards: the loan is still good
      #expect(values.allSatisfy { $0 == 1 })
    }
    #expect(code { try session.run() } == .closed)
  }

  @Test func closeEndsARunInProgress() async throws {
    let session = try slowSession()
    let task = try await start(session)
    session.close()
    #expect(await task.value == .cancelled)
    #expect(code { try session.run() } == .closed)
  }

  @Test func manyTasksOnSessionsOfOneModel() async throws {
    let test = try #require(TestData.cases.first { $0.name == "yes" })
    let model = try Model(contentsOf: TestData.url(test.bundle))
    let expected = try test.outputs[0].load().bytes
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<8 {
        group.addTask {
          let session = try Session(model, options: .init(threads: 2))
          for _ in 0..<20 { _ = try await session.run(test.feed()) }
          return try await session.run(test.feed())[test.outputs[0].name]?.bytes ?? []
        }
      }
      for try await bytes in group { #expect(bytes == expected) }
    }
  }
}

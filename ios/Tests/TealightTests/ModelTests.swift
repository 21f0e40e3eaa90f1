// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tealight
import Testing

struct ModelTests {
  static let iris = TestData.url("open_batch/model.tea")

  static func answer(_ model: Model) throws -> [Float] {
    let input = model.inputs()[0], output = model.outputs()[0]
    let flower = try Tensor([5.1, 3.5, 1.4, 0.2] as [Float], shape: [1, 4])
    return try Session(model).run([input.name: flower]).tensor(output.name, as: Float.self).scalars
  }

  @Test func everyWayToLoadGivesTheSameModel() throws {
    let data = try Data(contentsOf: Self.iris)
    let expected = try Self.answer(Model(contentsOf: Self.iris))
    #expect(expected.count == 3)
    #expect(try Self.answer(Model(path: Self.iris.path)) == expected)
    #expect(try Self.answer(Model(data: data)) == expected)

    let padded = FileManager.default.temporaryDirectory.appendingPathComponent("padded-\(UUID()).bin")
    try (Data(count: 4096) + data + Data(count: 100)).write(to: padded)
    defer { try? FileManager.default.removeItem(at: padded) }
    let file = try FileHandle(forReadingFrom: padded)
    let part = try Model(fileDescriptor: file.fileDescriptor, offset: 4096, size: UInt64(data.count))
    try file.close()
    #expect(try Self.answer(part) == expected)
  }

  @Test func memoryOfTheCallerIsUsedInPlaceAndGivenBackOnce() throws {
    let data = try Data(contentsOf: Self.iris)
    let released = Counter()
    do {
      let model = try Model(bytesNoCopy: aligned(data)) { released.increment() }
      let session = try Session(model)
      #expect(session.model === model)
      #expect(released.value == 0)
    }
    #expect(released.value == 1)
    #expect(code { _ = try Model(bytesNoCopy: aligned(data.prefix(64))) { released.increment() } } == .invalidBundle)
    #expect(released.value == 2)
    let crooked = UnsafeMutableRawBufferPointer(rebasing: aligned(Data(count: 8) + data)[8...])
    #expect(code { _ = try Model(bytesNoCopy: crooked) { released.increment() } } == .invalidArgument)
    #expect(released.value == 3)
  }

  func aligned(_ data: Data) -> UnsafeMutableRawBufferPointer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 64)
    data.withUnsafeBytes { bytes.copyMemory(from: $0) }
    return bytes
  }

  @Test func describesItself() throws {
    let model = try TestData.model("word")
    #expect(model.entryPoints.count == 1)
    let input = model.inputs()[0]
    #expect(input.dataType == .float32)
    #expect(input.fixedShape != nil)
    #expect(model.inputs(entryPoint: 7).isEmpty)
    #expect(model.metadata["no such key"] == nil)
    let open = try Model(contentsOf: Self.iris).inputs()[0]
    #expect(open.shape == [nil, 4])
    #expect(open.fixedShape == nil)
  }

  @Test func missingFile() {
    let url = TestData.url("no such file.tea")
    #expect(code { _ = try Model(contentsOf: url) } == .io)
    do {
      _ = try Model(contentsOf: url)
    } catch {
      #expect(error.message.contains("no such file.tea"))
    }
  }

  @Test func urlOfTheWeb() throws {
    let url = try #require(URL(string: "https://example.com/model.tea"))
    #expect(code { _ = try Model(contentsOf: url) } == .invalidArgument)
  }

  @Test func truncatedAndForeignFiles() throws {
    #expect(code { _ = try Model(contentsOf: TestData.url("truncated.tea")) } == .invalidBundle)
    #expect(code { _ = try Model(data: Data()) } == .invalidBundle)
    #expect(code { _ = try Model(data: Data(repeating: 7, count: 1000)) } == .invalidBundle)
    #expect(code { _ = try Model(fileDescriptor: -1) } == .io)
  }

  @Test func runtimeDescribesItself() {
    #expect(Runtime.version.split(separator: ".").count == 3)
    #expect(Runtime.formatVersion >= 1)
    #expect(Runtime.isaNames.last == "scalar")
    #expect(Runtime.opNames.contains("conv2d"))
    #expect(Runtime.features.contains("winograd"))
  }
}

// SPDX-License-Identifier: Apache-2.0
// What tests/ios/swift_data.py wrote.
import Foundation
import Tealight
import Testing

enum TestData {
  static let folder = URL(fileURLWithPath: ProcessInfo.processInfo.environment["TEALIGHT_TEST_DATA"] ?? ".")

  static func url(_ name: String) -> URL { folder.appendingPathComponent(name) }

  static func json<T: Decodable>(_ name: String) throws -> T {
    try JSONDecoder().decode(T.self, from: Data(contentsOf: url(name)))
  }

  static func floats(_ name: String) throws -> [Float] {
    try Data(contentsOf: url(name)).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  static let cases: [Case] = (try? json("cases.json")) ?? []
}

/// One run of a real model and the bits that Python gave.
struct Case: Decodable, Sendable, CustomTestStringConvertible {
  struct Tensor: Decodable, Sendable {
    let name: String
    let dtype: String
    let shape: [Int]
    let file: String

    func load() throws -> AnyTensor {
      let types: [DataType] = [.float32, .uint8, .int8, .int32, .int64]
      guard let type = types.first(where: { $0.description == dtype }) else { throw TealightError(.wrongDtype, dtype) }
      return try Data(contentsOf: TestData.url(file)).withUnsafeBytes { AnyTensor(dataType: type, shape: shape, bytes: $0) }
    }
  }

  let name: String
  let bundle: String
  let top1: Int?
  let inputs: [Tensor]
  let outputs: [Tensor]

  var testDescription: String { name }

  func session(_ options: Session.Options = .init()) throws -> Session {
    try Session(Model(contentsOf: TestData.url(bundle)), options: options)
  }

  func feed() throws -> [String: any TensorConvertible] {
    try Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, try $0.load()) })
  }
}

extension AnyTensor {
  var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// The code of what `body` throws; nil when it does not.
func code(_ body: () throws -> Void) -> TealightError.Code? {
  do {
    try body()
    return nil
  } catch {
    return (error as? TealightError)?.code
  }
}

func code(_ body: () async throws -> Void) async -> TealightError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? TealightError)?.code
  }
}

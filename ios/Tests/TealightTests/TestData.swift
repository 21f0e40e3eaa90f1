// SPDX-License-Identifier: Apache-2.0
// What tests/models/recordings.py and tests/ios/swift_data.py wrote.
import Foundation
import Tealight
import Testing

enum TestData {
  static let folder = URL(fileURLWithPath: ProcessInfo.processInfo.environment["TEALIGHT_TEST_DATA"] ?? ".")

  static func url(_ name: String) -> URL { folder.appendingPathComponent(name) }

  static func model(_ name: String) throws -> Model { try Model(contentsOf: url("\(name)/model.tea")) }

  static func session(_ name: String, _ options: Session.Options = .init()) throws -> Session {
    try Session(model(name), options: options)
  }

  /// The tensors of <folder>/<prefix>0.npy, <prefix>1.npy …
  static func tensors(_ folder: String, _ prefix: String) throws -> [AnyTensor] {
    var result: [AnyTensor] = []
    while FileManager.default.fileExists(atPath: url("\(folder)/\(prefix)\(result.count).npy").path) {
      result.append(try npy(url("\(folder)/\(prefix)\(result.count).npy")))
    }
    return result
  }

  /// How often a recording ran.
  static func runs(_ name: String) -> Int {
    var count = 0
    while FileManager.default.fileExists(atPath: url("\(name)/\(count)").path) { count += 1 }
    return count
  }

  static func inputs(_ session: Session, _ folder: String) throws -> [String: any TensorConvertible] {
    try Dictionary(uniqueKeysWithValues: zip(session.inputs.map(\.name), tensors(folder, "in")))
  }

  static func text(_ name: String) throws -> String {
    try String(contentsOf: url(name), encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  static func npy(_ url: URL) throws -> AnyTensor {
    let data = try Data(contentsOf: url)
    let length = Int(data[8]) + Int(data[9]) << 8
    let header = String(decoding: data[10..<10 + length], as: UTF8.self)
    let type = try #require(types[String(header.split(separator: "'descr': '")[1].prefix { $0 != "'" })])
    let dims = header.split(separator: "'shape': (")[1].prefix { $0 != ")" }
    let shape = dims.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    return data.dropFirst(10 + length).withUnsafeBytes { AnyTensor(dataType: type, shape: shape, bytes: $0) }
  }

  private static let types: [String: DataType] = [
    "<f4": .float32, "<f2": .float16, "<f8": .float64, "|i1": .int8, "|u1": .uint8, "<i2": .int16, "<u2": .uint16,
    "<i4": .int32, "<u4": .uint32, "<i8": .int64, "<u8": .uint64, "|b1": .bool, "<V2": .bfloat16,
  ]
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

/// Counts from any thread.
final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0
  var value: Int { lock.withLock { count } }
  func increment() { lock.withLock { count += 1 } }
}

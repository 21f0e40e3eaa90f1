// SPDX-License-Identifier: Apache-2.0
import CTealight
import Foundation

/// A loaded bundle: immutable, and shared by any number of sessions, tasks and threads.
///
/// ```swift
/// let model = try Model(contentsOf: URL(fileURLWithPath: "model.tea"))
/// for input in model.inputs() { print(input.name, input.dataType, input.shape) }
/// ```
public final class Model: Sendable {
  // Written once, before anybody else sees the object; the runtime's models are immutable and thread-safe.
  nonisolated(unsafe) let handle: OpaquePointer
  /// What the runtime reads in place where the bundle is not a file.
  private let storage: TensorStorage?

  /// Maps the file; it must not change while the model lives.
  public convenience init(contentsOf url: URL) throws(TealightError) {
    guard url.isFileURL else {
      throw TealightError(.invalidArgument, "model: URL '\(url)', expected one of a file; download it first")
    }
    try self.init(path: url.path)
  }

  /// Maps the file; it must not change while the model lives.
  public init(path: String) throws(TealightError) {
    handle = try Model.open { tl_model_open(path, $0, $1) }
    storage = nil
  }

  /// Maps `size` bytes of an open file from `offset` (size 0: to its end); the descriptor may be closed afterwards.
  public init(fileDescriptor: Int32, offset: UInt64 = 0, size: UInt64 = 0) throws(TealightError) {
    handle = try Model.open { tl_model_open_fd(fileDescriptor, offset, size, $0, $1) }
    storage = nil
  }

  /// Copies the bundle; `init(contentsOf:)` maps a file without that.
  public convenience init(data: Data) throws(TealightError) {
    let storage = TensorStorage(byteCount: data.count)
    data.withUnsafeBytes { storage.bytes.copyMemory(from: $0) }
    try self.init(storage)
  }

  /// Uses the memory where it lies.
  ///
  /// - Parameters:
  ///   - bytes: A bundle, aligned to 64 bytes; it must not change before `deallocator` is called.
  ///   - deallocator: Called once, when the model and its sessions are gone, or this throws.
  public convenience init(
    bytesNoCopy bytes: UnsafeMutableRawBufferPointer, deallocator: @escaping @Sendable () -> Void
  ) throws(TealightError) {
    try self.init(TensorStorage(bytes: bytes, deallocator: deallocator))
  }

  private init(_ storage: TensorStorage) throws(TealightError) {
    handle = try Model.open { tl_model_open_memory(storage.bytes.baseAddress, storage.bytes.count, $0, $1) }
    self.storage = storage
  }

  deinit {
    tl_model_destroy(handle)
  }

  private static func open(
    _ call: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<tl_error>) -> tl_status
  ) throws(TealightError) -> OpaquePointer {
    var handle: OpaquePointer?
    try TealightError.check { call(&handle, $0) }
    guard let handle else { throw TealightError(.runtime, "model: no handle, expected one") }
    return handle
  }

  /// Names of the programs in the bundle; most have one.
  public var entryPoints: [String] {
    (0..<tl_model_entry_point_count(handle)).map { String(cString: tl_model_entry_point_name(handle, $0)) }
  }

  /// What a session of the entry point is fed.
  public func inputs(entryPoint: Int = 0) -> [TensorDescription] {
    (0..<tl_model_input_count(handle, entryPoint)).compactMap { i in
      var info = tl_tensor()
      guard tl_model_input_info(handle, entryPoint, i, &info) == TL_OK else { return nil }
      return TensorDescription(name: String(cString: tl_model_input_name(handle, entryPoint, i)), info)
    }
  }

  /// What a session of the entry point gives.
  public func outputs(entryPoint: Int = 0) -> [TensorDescription] {
    (0..<tl_model_output_count(handle, entryPoint)).compactMap { i in
      var info = tl_tensor()
      guard tl_model_output_info(handle, entryPoint, i, &info) == TL_OK else { return nil }
      return TensorDescription(name: String(cString: tl_model_output_name(handle, entryPoint, i)), info)
    }
  }

  /// What the bundle says of itself: keys and values.
  public var metadata: [String: String] {
    var result: [String: String] = [:]
    var i = 0
    while let key = tl_model_metadata_key(handle, i) {
      result[String(cString: key)] = tl_model_metadata(handle, key).map { String(cString: $0) }
      i += 1
    }
    return result
  }

  /// The texts of an output's classes; empty when the bundle has none.
  public func labels(of output: String) -> [String] {
    (0..<tl_model_label_count(handle, output)).compactMap { i in
      tl_model_label(handle, output, i).map { String(cString: $0) }
    }
  }

  /// The inputs that are pictures, and how they are made.
  public var images: [ImageInput] {
    var result: [ImageInput] = []
    var info = tl_image_info()
    while tl_model_image_info(handle, result.count, &info) == TL_OK { result.append(ImageInput(info)) }
    return result
  }
}

/// Name, element type and shape of an input or output.
public struct TensorDescription: Hashable, Sendable {
  /// Of the input or output.
  public let name: String
  /// The type of the elements.
  public let dataType: DataType
  /// nil where a dim is not fixed.
  public let shape: [Int?]

  init(name: String, _ info: tl_tensor) {
    self.name = name
    dataType = DataType(info.dtype)
    shape = info.dims.map { $0 < 0 ? nil : $0 }
  }

  /// The shape when all of it is fixed.
  public var fixedShape: [Int]? {
    let dims = shape.compactMap { $0 }
    return dims.count == shape.count ? dims : nil
  }
}

extension tl_tensor {
  /// The shape; -1 stands for a dim that is not fixed.
  var dims: [Int] {
    withUnsafeBytes(of: shape) { $0.bindMemory(to: Int64.self).prefix(Int(rank)).map { Int($0) } }
  }
}

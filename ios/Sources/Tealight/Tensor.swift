// SPDX-License-Identifier: Apache-2.0
import CTealight

/// A dense row-major array of numbers: a value, as `Array` is. Copies share memory until one of them is written to.
///
/// ```swift
/// var pixels = try Tensor<Float>(repeating: 0, shape: [1, 3, 2, 2])
/// pixels.withUnsafeMutableBufferPointer { $0[0] = 1 }
/// let scores = try Tensor([0.5, 0.25, 0.25] as [Float], shape: [1, 3])
/// print(pixels.count, scores.shape, scores.scalars)
/// ```
public struct Tensor<Scalar: TensorScalar>: Sendable {
  /// The same tensor without its type.
  public private(set) var anyTensor: AnyTensor

  /// The same number everywhere.
  public init(repeating value: Scalar, shape: [Int]) throws(TealightError) {
    try self.init(shape: shape) { $0.initialize(repeating: value) }
  }

  /// The elements in row-major order.
  public init(_ scalars: [Scalar], shape: [Int]) throws(TealightError) {
    let count = try AnyTensor.count(of: shape)
    guard scalars.count == count else {
      throw TealightError(.wrongShape, "tensor: \(scalars.count) elements, expected \(count) for shape \(shape)")
    }
    try self.init(shape: shape) { buffer in _ = buffer.initialize(from: scalars) }
  }

  /// Elements that `fill` writes, all of them: the memory that it is given holds anything.
  public init(shape: [Int], fill: (UnsafeMutableBufferPointer<Scalar>) -> Void) throws(TealightError) {
    let bytes = try AnyTensor.count(of: shape, elementSize: MemoryLayout<Scalar>.stride)
    let storage = TensorStorage(byteCount: bytes)
    fill(storage.bytes.bindMemory(to: Scalar.self))
    anyTensor = AnyTensor(dataType: Scalar.dataType, shape: shape, storage: storage)
  }

  /// Memory that somebody else made, used where it lies, for example that of a frame of the camera.
  ///
  /// - Parameters:
  ///   - bytes: Aligned to `Scalar`, exactly as long as `shape` needs; nobody writes to it before `deallocator` is called.
  ///   - shape: The dims, the slowest first.
  ///   - deallocator: Called once, when no tensor and no session uses the memory any more.
  public init(
    bytesNoCopy bytes: UnsafeMutableRawBufferPointer, shape: [Int], deallocator: @escaping @Sendable () -> Void
  ) throws(TealightError) {
    let expected = try AnyTensor.count(of: shape, elementSize: MemoryLayout<Scalar>.stride)
    guard bytes.count == expected else {
      throw TealightError(.wrongShape, "tensor: \(bytes.count) bytes, expected \(expected) for shape \(shape)")
    }
    guard Int(bitPattern: bytes.baseAddress) % MemoryLayout<Scalar>.alignment == 0 else {
      let alignment = MemoryLayout<Scalar>.alignment
      throw TealightError(.invalidArgument, "tensor: memory is not aligned, expected a multiple of \(alignment) bytes")
    }
    let storage = TensorStorage(bytes: bytes, deallocator: deallocator)
    anyTensor = AnyTensor(dataType: Scalar.dataType, shape: shape, storage: storage)
  }

  /// The typed view of a tensor; throws `wrongDtype` when it holds other elements, `wrongShape` other than its shape says.
  public init(_ tensor: AnyTensor) throws(TealightError) {
    guard tensor.dataType == Scalar.dataType else {
      throw TealightError(.wrongDtype, "tensor: \(tensor.dataType), expected \(Scalar.dataType)")
    }
    let expected = try AnyTensor.count(of: tensor.shape, elementSize: MemoryLayout<Scalar>.stride)
    guard tensor.storage.bytes.count == expected else {
      let found = tensor.storage.bytes.count
      throw TealightError(.wrongShape, "tensor: \(found) bytes, expected \(expected) for shape \(tensor.shape)")
    }
    anyTensor = tensor
  }

  /// The dims, the slowest first.
  public var shape: [Int] { anyTensor.shape }
  /// The number of elements.
  public var count: Int { anyTensor.storage.bytes.count / MemoryLayout<Scalar>.stride }
  /// A copy of the elements in row-major order.
  public var scalars: [Scalar] { withUnsafeBufferPointer { Array($0) } }

  /// Lends the elements without a copy; the pointer is not valid outside of `body`.
  public func withUnsafeBufferPointer<R, E: Error>(
    _ body: (UnsafeBufferPointer<Scalar>) throws(E) -> R
  ) throws(E) -> R {
    defer { withExtendedLifetime(anyTensor.storage) {} }
    return try body(UnsafeBufferPointer(anyTensor.storage.bytes.assumingMemoryBound(to: Scalar.self)))
  }

  /// Lends the elements for writing, without a copy unless another tensor or a session shares them.
  public mutating func withUnsafeMutableBufferPointer<R, E: Error>(
    _ body: (UnsafeMutableBufferPointer<Scalar>) throws(E) -> R
  ) throws(E) -> R {
    anyTensor.makeUnique()
    defer { withExtendedLifetime(anyTensor.storage) {} }
    return try body(anyTensor.storage.bytes.assumingMemoryBound(to: Scalar.self))
  }
}

extension Tensor: Equatable where Scalar: Equatable {
  public static func == (a: Tensor, b: Tensor) -> Bool {
    a.shape == b.shape
      && a.withUnsafeBufferPointer { x in b.withUnsafeBufferPointer { y in x.elementsEqual(y) } }
  }
}

/// What a session takes as an input: ``Tensor`` and ``AnyTensor``.
public protocol TensorConvertible: Sendable {
  var anyTensor: AnyTensor { get }
}

extension Tensor: TensorConvertible {}

/// A tensor whose element type is known only while running; `Tensor<Float>(any)` gives the typed view.
public struct AnyTensor: TensorConvertible {
  /// The type of the elements.
  public let dataType: DataType
  /// The dims, the slowest first.
  public let shape: [Int]
  var storage: TensorStorage

  public var anyTensor: AnyTensor { self }

  init(dataType: DataType, shape: [Int], storage: TensorStorage) {
    self.dataType = dataType
    self.shape = shape
    self.storage = storage
  }

  /// Copies bytes of any element type, int4 and bfloat16 among them.
  public init(dataType: DataType, shape: [Int], bytes: UnsafeRawBufferPointer) {
    storage = TensorStorage(byteCount: bytes.count)
    storage.bytes.copyMemory(from: bytes)
    self.dataType = dataType
    self.shape = shape
  }

  /// Lends the bytes without a copy; the pointer is not valid outside of `body`.
  public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeRawBufferPointer(storage.bytes))
  }

  mutating func makeUnique() {
    if storage.deallocator != nil || !isKnownUniquelyReferenced(&storage) {
      let copy = TensorStorage(byteCount: storage.bytes.count)
      copy.bytes.copyMemory(from: UnsafeRawBufferPointer(storage.bytes))
      storage = copy
    }
  }

  /// The description that the C API reads; valid while the storage lives.
  var description: tl_tensor {
    var result = tl_tensor()
    result.dtype = tl_dtype(rawValue: .init(dataType.rawValue))
    result.rank = UInt32(shape.count)
    withUnsafeMutableBytes(of: &result.shape) { bytes in
      let dims = bytes.bindMemory(to: Int64.self)
      for (i, dim) in shape.prefix(dims.count).enumerated() { dims[i] = Int64(dim) }
    }
    result.data = storage.bytes.baseAddress
    result.size_bytes = storage.bytes.count
    return result
  }

  /// The product of the dims times `elementSize`; throws where it is no size.
  static func count(of shape: [Int], elementSize: Int = 1) throws(TealightError) -> Int {
    var count = elementSize
    for dim in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dim)
      guard dim >= 0, !overflow else {
        throw TealightError(
          .wrongShape, "tensor: shape \(shape), expected dims that are not negative and fit in memory")
      }
      count = product
    }
    return count
  }
}

/// Memory that tensors share.
///
/// Sendable although the compiler cannot see why: it is written to only while a single tensor refers to it (made just
/// now, or `isKnownUniquelyReferenced`), as the standard library's arrays do.
final class TensorStorage: @unchecked Sendable {
  /// Never without an address: an empty tensor too has one.
  let bytes: UnsafeMutableRawBufferPointer
  let deallocator: (@Sendable () -> Void)?

  /// 64 bytes: a cache line, and what the widest vector registers load at once.
  init(byteCount: Int) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(byteCount, 64), alignment: 64)
    bytes = UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount])
    deallocator = nil
  }

  init(bytes: UnsafeMutableRawBufferPointer, deallocator: @escaping @Sendable () -> Void) {
    self.bytes = bytes
    self.deallocator = deallocator
  }

  deinit {
    if let deallocator { deallocator() } else { bytes.baseAddress?.deallocate() }
  }
}

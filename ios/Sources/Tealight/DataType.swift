// SPDX-License-Identifier: Apache-2.0
import CTealight

/// The type of a tensor's elements; types of newer runtimes, unknown to this package, keep their number.
public struct DataType: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  init(_ dtype: tl_dtype) {
    self.init(rawValue: UInt32(dtype.rawValue))
  }

  public static let float32 = DataType(TL_DTYPE_FLOAT32)
  public static let float16 = DataType(TL_DTYPE_FLOAT16)
  public static let float64 = DataType(TL_DTYPE_FLOAT64)
  public static let int8 = DataType(TL_DTYPE_INT8)
  public static let uint8 = DataType(TL_DTYPE_UINT8)
  public static let int16 = DataType(TL_DTYPE_INT16)
  public static let uint16 = DataType(TL_DTYPE_UINT16)
  public static let int32 = DataType(TL_DTYPE_INT32)
  public static let uint32 = DataType(TL_DTYPE_UINT32)
  public static let int64 = DataType(TL_DTYPE_INT64)
  public static let uint64 = DataType(TL_DTYPE_UINT64)
  public static let bool = DataType(TL_DTYPE_BOOL)
  public static let bfloat16 = DataType(TL_DTYPE_BFLOAT16)
  /// Two elements a byte, the first in the low half.
  public static let int4 = DataType(TL_DTYPE_INT4)
  public static let uint4 = DataType(TL_DTYPE_UINT4)

  private static let names: [DataType: String] = [
    .float32: "float32", .float16: "float16", .float64: "float64", .int8: "int8", .uint8: "uint8", .int16: "int16",
    .uint16: "uint16", .int32: "int32", .uint32: "uint32", .int64: "int64", .uint64: "uint64", .bool: "bool",
    .bfloat16: "bfloat16", .int4: "int4", .uint4: "uint4",
  ]
}

extension DataType: CustomStringConvertible {
  public var description: String { DataType.names[self] ?? "dtype \(rawValue)" }
}

/// A Swift type that tensors can hold.
public protocol TensorScalar: BitwiseCopyable, Sendable {
  static var dataType: DataType { get }
}

extension Float: TensorScalar { public static var dataType: DataType { .float32 } }
extension Double: TensorScalar { public static var dataType: DataType { .float64 } }
extension Int8: TensorScalar { public static var dataType: DataType { .int8 } }
extension UInt8: TensorScalar { public static var dataType: DataType { .uint8 } }
extension Int16: TensorScalar { public static var dataType: DataType { .int16 } }
extension UInt16: TensorScalar { public static var dataType: DataType { .uint16 } }
extension Int32: TensorScalar { public static var dataType: DataType { .int32 } }
extension UInt32: TensorScalar { public static var dataType: DataType { .uint32 } }
extension Int64: TensorScalar { public static var dataType: DataType { .int64 } }
extension UInt64: TensorScalar { public static var dataType: DataType { .uint64 } }
extension Bool: TensorScalar { public static var dataType: DataType { .bool } }
#if !((os(macOS) || targetEnvironment(macCatalyst)) && arch(x86_64))
extension Float16: TensorScalar { public static var dataType: DataType { .float16 } }
#endif

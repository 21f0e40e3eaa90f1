// SPDX-License-Identifier: Apache-2.0
// The declarations of CoreGraphics that ImageInput+Apple.swift uses, so that it is type-checked without an Apple SDK.
@_exported import Foundation

public final class CGImage {
  public var width: Int { 0 }
  public var height: Int { 0 }
}

public final class CGColorSpace {
  public static let sRGB: CFString = "sRGB"
  public init?(name: CFString) { nil }
}

public typealias CFString = String

public enum CGImageAlphaInfo: UInt32 {
  case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst, alphaOnly
}

public struct CGBitmapInfo: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let byteOrder32Big = CGBitmapInfo(rawValue: 4 << 12)
}

public final class CGContext {
  public init?(
    data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
    space: CGColorSpace, bitmapInfo: UInt32
  ) { nil }
  public var data: UnsafeMutableRawPointer? { nil }
  public var bytesPerRow: Int { 0 }
  public func draw(_ image: CGImage, in rect: CGRect, byTiling: Bool = false) {}
}

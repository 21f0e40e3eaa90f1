// SPDX-License-Identifier: Apache-2.0
// A picture in somebody's memory, and its resizing: bit for bit Pillow's BILINEAR, which the desktop tools use.

/// A picture in memory that somebody else keeps: rows of 8-bit pixels, top to bottom. It is not kept after a call.
public struct Pixels {
  /// The order of a pixel's bytes; alpha is left out.
  public enum Format: Sendable {
    case rgba, bgra, argb, rgb, gray

    var bytesPerPixel: Int { self == .gray ? 1 : self == .rgb ? 3 : 4 }
    /// Where red, green and blue are.
    var offsets: (Int, Int, Int) {
      switch self {
      case .rgba, .rgb: (0, 1, 2)
      case .bgra: (2, 1, 0)
      case .argb: (1, 2, 3)
      case .gray: (0, 0, 0)
      }
    }
  }

  let bytes: UnsafeRawBufferPointer
  let width: Int
  let height: Int
  let bytesPerRow: Int
  let format: Format

  /// bytesPerRow: nil when rows follow each other without padding.
  public init(_ bytes: UnsafeRawBufferPointer, width: Int, height: Int, bytesPerRow: Int? = nil, format: Format) {
    self.bytes = bytes
    self.width = width
    self.height = height
    self.bytesPerRow = bytesPerRow ?? width.multipliedReportingOverflow(by: format.bytesPerPixel).partialValue
    self.format = format
  }

  /// A side is at most 32767 pixels, so that nothing below overflows.
  func check() throws(TealightError) {
    guard (1...32767).contains(width), (1...32767).contains(height) else {
      throw TealightError(.wrongShape, "picture: \(width)x\(height), expected sides from 1 to 32767")
    }
    let row = width * format.bytesPerPixel
    let (skipped, overflow) = bytesPerRow.multipliedReportingOverflow(by: height - 1)
    guard bytesPerRow >= row, !overflow, bytes.count - row >= skipped else {
      throw TealightError(
        .wrongShape,
        "picture: \(bytes.count) bytes with rows of \(bytesPerRow), expected them to hold \(width)x\(height) "
          + "pixels of \(format.bytesPerPixel) bytes")
    }
  }

  /// Writes row y to `row`: [width, 3] as RGB, or [width, 1] as gray.
  func copyRow(_ y: Int, isGray: Bool, to row: inout [UInt8]) {
    let (r, g, b) = format.offsets
    for x in 0..<width {
      let pixel = y * bytesPerRow + x * format.bytesPerPixel
      let red = bytes[pixel + r], green = bytes[pixel + g], blue = bytes[pixel + b]
      if isGray {
        // ITU-R 601-2 luma in 16-bit fixed point, as Pillow has it; gray pixels keep their value.
        row[x] = UInt8(truncatingIfNeeded: (Int(red) * 19595 + Int(green) * 38470 + Int(blue) * 7471 + 0x8000) >> 16)
      } else {
        row[3 * x] = red
        row[3 * x + 1] = green
        row[3 * x + 2] = blue
      }
    }
  }
}

/// The weights of one axis: a triangle as wide as a source pixel, or as a target one where that is wider. They are
/// integers of 22 bits after the point, so that sums of them times pixels fit in 32 bits.
private struct Axis {
  static let precision: Int32 = 22
  /// The first source position of each target position.
  var starts: [Int] = []
  /// Where the weights of each target position begin; one more at the end.
  var offsets = [0]
  var weights: [Int32] = []

  init(from source: Int, to target: Int) {
    let step = Double(source) / Double(target)
    let support = max(step, 1)
    let inverse = 1 / support
    for i in 0..<target {
      let center = (Double(i) + 0.5) * step
      let start = max(Int(center - support + 0.5), 0)
      let end = min(Int(center + support + 0.5), source)
      let raw = (start..<end).map { max(0, 1 - abs((Double($0) - center + 0.5) * inverse)) }
      let sum = raw.reduce(0, +)
      starts.append(start)
      weights += raw.map { Int32(0.5 + $0 / sum * Double(1 << Axis.precision)) }
      offsets.append(weights.count)
    }
  }

  /// Sums source elements, `stride` apart, for each target position, `channels` neighbours at a time.
  func apply(
    _ source: UnsafePointer<UInt8>, stride: Int, channels: Int, to target: UnsafeMutablePointer<UInt8>,
    targetStride: Int
  ) {
    weights.withUnsafeBufferPointer { weights in
      for i in starts.indices {
        let first = source + starts[i] * stride
        for c in 0..<channels {
          var sum = Int32(1) << (Axis.precision - 1)
          var element = first + c
          for k in offsets[i]..<offsets[i + 1] {
            sum &+= Int32(element.pointee) &* weights[k]
            element += stride
          }
          target[i * targetStride + c] = UInt8(clamping: sum >> Axis.precision)
        }
      }
    }
  }
}

/// Returns [height, width, 1 or 3].
func resize(_ pixels: Pixels, width: Int, height: Int, isGray: Bool) -> [UInt8] {
  let channels = isGray ? 1 : 3
  let length = width * channels
  let across = Axis(from: pixels.width, to: width), down = Axis(from: pixels.height, to: height)
  var row = [UInt8](repeating: 0, count: pixels.width * channels)
  var narrow = [UInt8](repeating: 0, count: pixels.height * length)  // [source height, width, channels]
  narrow.withUnsafeMutableBufferPointer { narrow in
    for y in 0..<pixels.height {
      pixels.copyRow(y, isGray: isGray, to: &row)
      across.apply(
        row, stride: channels, channels: channels, to: narrow.baseAddress! + y * length, targetStride: channels)
    }
  }
  var result = [UInt8](repeating: 0, count: height * length)
  result.withUnsafeMutableBufferPointer { result in
    down.apply(narrow, stride: length, channels: length, to: result.baseAddress!, targetStride: length)
  }
  return result
}

// SPDX-License-Identifier: Apache-2.0
// Pictures as Apple's frameworks keep them.

#if canImport(CoreGraphics)
import CoreGraphics

extension ImageInput {
  /// A picture of CoreGraphics (`UIImage.cgImage`; turn it upright first). Drawn in sRGB, at its own size.
  public func tensor<Scalar: ImageScalar>(from image: CGImage) throws(TealightError) -> Tensor<Scalar> {
    let width = image.width, height = image.height
    let info = CGImageAlphaInfo.premultipliedLast.rawValue | CGBitmapInfo.byteOrder32Big.rawValue
    guard let space = CGColorSpace(name: CGColorSpace.sRGB),
      let context = CGContext(
        data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 0, space: space, bitmapInfo: info),
      let data = context.data
    else {
      throw TealightError(.outOfMemory, "picture: no memory for \(width)x\(height) pixels, expected some")
    }
    context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
    defer { withExtendedLifetime(context) {} }
    let bytes = UnsafeRawBufferPointer(start: data, count: context.bytesPerRow * height)
    return try tensor(
      from: Pixels(bytes, width: width, height: height, bytesPerRow: context.bytesPerRow, format: .rgba))
  }
}
#endif

#if canImport(CoreVideo)
import CoreVideo

extension Pixels {
  /// Lends the pixels of a frame of the camera (`kCVPixelFormatType_32BGRA`), locked for the time of `body`.
  public static func withFrame<R>(_ frame: CVPixelBuffer, _ body: (Pixels) throws -> R) throws -> R {
    let format: Format
    switch CVPixelBufferGetPixelFormatType(frame) {
    case kCVPixelFormatType_32BGRA: format = .bgra
    case kCVPixelFormatType_32RGBA: format = .rgba
    case kCVPixelFormatType_32ARGB: format = .argb
    case kCVPixelFormatType_24RGB: format = .rgb
    case kCVPixelFormatType_OneComponent8: format = .gray
    case let other:
      throw TealightError(
        .invalidArgument, "frame: pixel format \(other), expected 32BGRA; set videoSettings of the camera's output")
    }
    guard CVPixelBufferLockBaseAddress(frame, .readOnly) == kCVReturnSuccess else {
      throw TealightError(.runtime, "frame: not locked, expected its memory")
    }
    defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
    let height = CVPixelBufferGetHeight(frame), row = CVPixelBufferGetBytesPerRow(frame)
    let bytes = UnsafeRawBufferPointer(start: CVPixelBufferGetBaseAddress(frame), count: row * height)
    return try body(
      Pixels(bytes, width: CVPixelBufferGetWidth(frame), height: height, bytesPerRow: row, format: format))
  }
}
#endif

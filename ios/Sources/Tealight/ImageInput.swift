// SPDX-License-Identifier: Apache-2.0
// Pictures as inputs: resized, in the model's order of channels, (pixel - mean) * scale.
import CTealight

/// An input that is a picture, and how a picture becomes this input; the bundle says so.
///
/// The same picture gives the same bits as `tealight run` and the other tools on the desktop.
///
/// ```swift
/// let model = try Model(contentsOf: URL(fileURLWithPath: "classifier.tea"))
/// let image = model.images[0]
/// let gray = [UInt8](repeating: 128, count: 640 * 480 * 4)  // a picture in memory, RGBA
/// let tensor: Tensor<Float> = try gray.withUnsafeBytes {
///   try image.tensor(from: Pixels($0, width: 640, height: 480, format: .rgba))
/// }
/// print(tensor.shape)
/// ```
public struct ImageInput: Hashable, Sendable {
  /// The order of a pixel's channels in the input.
  public enum ChannelOrder: Int32, Sendable {
    case rgb, bgr, gray
  }

  /// Of the input.
  public let name: String
  /// Rows of pixels; 0, as the width, where the model takes any size: such a picture is made without this type.
  public let height: Int
  /// Pixels in a row.
  public let width: Int
  /// 3, or 1 for gray.
  public let channels: Int
  /// [1, channels, height, width] if true, else [1, height, width, channels].
  public let isChannelsFirst: Bool
  /// Red first, blue first, or gray.
  public let channelOrder: ChannelOrder
  /// One per channel: x = (pixel - mean) * scale, pixel from 0 to 255.
  public let mean: [Float]
  /// One per channel.
  public let scale: [Float]

  init(_ info: tl_image_info) {
    name = String(cString: info.input)
    height = Int(info.height)
    width = Int(info.width)
    channels = Int(info.channels)
    isChannelsFirst = info.channels_first != 0
    channelOrder = ChannelOrder(rawValue: info.channel_order) ?? .rgb
    mean = Array(UnsafeBufferPointer(start: info.mean, count: Int(info.channels)))
    scale = Array(UnsafeBufferPointer(start: info.scale, count: Int(info.channels)))
  }

  /// Of the input.
  public var shape: [Int] { isChannelsFirst ? [1, channels, height, width] : [1, height, width, channels] }

  /// The picture as a tensor of the model's type: `Float`, `Float16`, or `UInt8` for raw pixels.
  public func tensor<Scalar: ImageScalar>(from pixels: Pixels) throws(TealightError) -> Tensor<Scalar> {
    let picture = try resized(pixels)
    return try Tensor(shape: shape) { write(picture, to: $0) }
  }

  /// Writes the picture where a session lends its input: no tensor in between.
  ///
  /// ```swift
  /// let session = try Session(Model(contentsOf: URL(fileURLWithPath: "classifier.tea")))
  /// let image = session.model.images[0]
  /// let frame = [UInt8](repeating: 128, count: 640 * 480 * 4)
  /// try session.withUnsafeMutableInput(image.name, as: Float.self) { input in
  ///   try frame.withUnsafeBytes { try image.fill(input, from: Pixels($0, width: 640, height: 480, format: .bgra)) }
  /// }
  /// try session.run()
  /// ```
  public func fill<Scalar: ImageScalar>(
    _ buffer: UnsafeMutableBufferPointer<Scalar>, from pixels: Pixels
  ) throws(TealightError) {
    guard buffer.count == height * width * channels else {
      throw TealightError(
        .wrongShape, "image '\(name)': memory of \(buffer.count) elements, expected \(height * width * channels)")
    }
    write(try resized(pixels), to: buffer)
  }

  /// [height, width, 1 or 3], gray or RGB.
  private func resized(_ pixels: Pixels) throws(TealightError) -> [UInt8] {
    guard channels == (channelOrder == .gray ? 1 : 3) else {
      throw TealightError(.invalidBundle, "image '\(name)': \(channels) channels, expected 1 of gray or 3 of colour")
    }
    guard width > 0, height > 0 else {
      throw TealightError(.wrongShape, "image '\(name)': \(width)x\(height), expected a size; make the tensor yourself")
    }
    try pixels.check()
    return resize(pixels, width: width, height: height, isGray: channelOrder == .gray)
  }

  private func write<Scalar: ImageScalar>(_ picture: [UInt8], to buffer: UnsafeMutableBufferPointer<Scalar>) {
    let area = height * width
    for c in 0..<channels {
      let source = channelOrder == .bgr ? 2 - c : c
      let (start, stride) = isChannelsFirst ? (c * area, 1) : (c, channels)
      // 256 pixels have 256 results.
      let table = (0...255).map { Scalar.make(pixel: UInt8($0), mean: mean[c], scale: scale[c]) }
      for i in 0..<area { buffer[start + i * stride] = table[Int(picture[i * channels + source])] }
    }
  }
}

/// A type that inputs of pictures have.
public protocol ImageScalar: TensorScalar {
  /// The element that a pixel becomes.
  static func make(pixel: UInt8, mean: Float, scale: Float) -> Self
}

extension Float: ImageScalar {
  public static func make(pixel: UInt8, mean: Float, scale: Float) -> Float { (Float(pixel) - mean) * scale }
}
#if !((os(macOS) || targetEnvironment(macCatalyst)) && arch(x86_64))
extension Float16: ImageScalar {
  public static func make(pixel: UInt8, mean: Float, scale: Float) -> Float16 {
    Float16((Float(pixel) - mean) * scale)
  }
}
#endif
extension UInt8: ImageScalar {
  /// Models of raw pixels normalise inside.
  public static func make(pixel: UInt8, mean: Float, scale: Float) -> UInt8 { pixel }
}

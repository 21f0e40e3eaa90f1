// SPDX-License-Identifier: Apache-2.0
// Pictures become inputs with the bits that the desktop tools give.
import Foundation
import Tealight
import Testing

struct ImageTests {
  @Test(arguments: ["rgb", "bgr", "gray"], Array(0..<6))
  func sameBitsAsPython(_ kind: String, _ i: Int) throws {
    let image = try TestData.model("picture_\(kind)").images[0]
    let pixels = try TestData.tensors("picture_\(kind)", "pixels")[i]
    let expected = try Tensor<Float>(TestData.tensors("picture_\(kind)", "in")[i])
    let made: Tensor<Float> = try pixels.withUnsafeBytes { bytes in
      try image.tensor(from: Pixels(bytes, width: pixels.shape[1], height: pixels.shape[0], format: .rgba))
    }
    #expect(made.scalars.elementsEqual(expected.scalars), "picture \(i)")
    var swapped = pixels.bytes
    for k in stride(from: 0, to: swapped.count, by: 4) { swapped.swapAt(k, k + 2) }
    let session = try TestData.session("picture_\(kind)")
    try session.withUnsafeMutableInput(image.name, as: Float.self) { input in
      try swapped.withUnsafeBytes { bytes in
        try image.fill(input, from: Pixels(bytes, width: pixels.shape[1], height: pixels.shape[0], format: .bgra))
      }
      #expect(input.elementsEqual(expected.scalars))
    }
  }

  @Test func descriptionIsTheBundles() throws {
    let image = try TestData.model("picture_bgr").images[0]
    #expect(image.name == "x")
    #expect(image.shape == [1, 3, 24, 40])
    #expect(image.channelOrder == .bgr)
    #expect(image.mean == [103.5, 116.3, 123.7])
    #expect(try TestData.model("word").images.isEmpty)
  }

  @Test func aModelOfAnySizeHasNoPictures() throws {
    let image = try TestData.model("picture_any").images[0]
    let bytes = [UInt8](repeating: 0, count: 400)
    let failure = code {
      let _: Tensor<Float> = try bytes.withUnsafeBytes {
        try image.tensor(from: Pixels($0, width: 10, height: 10, format: .rgba))
      }
    }
    #expect(failure == .wrongShape)
  }

  @Test func rawPixelsAndPaddedRows() throws {
    let image = try TestData.model("picture_gray").images[0]
    let rows = [UInt8](repeating: 200, count: 64 * 24)  // 40 of 64 pixels in a row count
    let tensor: Tensor<UInt8> = try rows.withUnsafeBytes {
      try image.tensor(from: Pixels($0, width: 40, height: 24, bytesPerRow: 64, format: .gray))
    }
    #expect(tensor.scalars.allSatisfy { $0 == 200 })
  }

  @Test func memoryThatDoesNotHoldThePicture() throws {
    let image = try TestData.model("picture_rgb").images[0]
    let bytes = [UInt8](repeating: 0, count: 400)
    func make(_ width: Int, _ height: Int, _ row: Int? = nil) -> TealightError.Code? {
      code {
        let _: Tensor<Float> = try bytes.withUnsafeBytes {
          try image.tensor(from: Pixels($0, width: width, height: height, bytesPerRow: row, format: .rgba))
        }
      }
    }
    #expect(make(10, 10) == nil)
    #expect(make(10, 11) == .wrongShape)
    #expect(make(10, 10, 39) == .wrongShape)
    #expect(make(10, 10, 41) == .wrongShape)
    #expect(make(0, 10) == .wrongShape)
    #expect(make(10, -1) == .wrongShape)
    #expect(make(.max, .max) == .wrongShape)
    #expect(make(10, 10, .max) == .wrongShape)
    var small = [Float](repeating: 0, count: 5)
    let failure = code {
      try small.withUnsafeMutableBufferPointer { target in
        try bytes.withUnsafeBytes { try image.fill(target, from: Pixels($0, width: 10, height: 10, format: .rgba)) }
      }
    }
    #expect(failure == .wrongShape)
  }
}

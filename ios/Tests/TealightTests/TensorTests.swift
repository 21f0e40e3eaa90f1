// SPDX-License-Identifier: Apache-2.0
import Tealight
import Testing

struct TensorTests {
  @Test func isAValue() throws {
    let a = try Tensor([1, 2, 3, 4, 5, 6] as [Int32], shape: [2, 3])
    var b = a
    b.withUnsafeMutableBufferPointer { $0[0] = 9 }
    #expect(a.scalars == [1, 2, 3, 4, 5, 6])
    #expect(b.scalars == [9, 2, 3, 4, 5, 6])
    #expect(a != b)
    #expect(b.shape == [2, 3])
  }

  @Test func writesInPlaceWhenNobodySharesTheMemory() throws {
    var a = try Tensor<Float>(repeating: 1, shape: [4])
    let before = a.withUnsafeBufferPointer { $0.baseAddress }
    a.withUnsafeMutableBufferPointer { $0[3] = 2 }
    #expect(a.withUnsafeBufferPointer { $0.baseAddress } == before)
    #expect(Int(bitPattern: before) % 64 == 0)
  }

  @Test func emptyOnesWork() throws {
    let empty = try Tensor([] as [UInt8], shape: [0, 3])
    #expect(empty.count == 0)
    #expect(empty.scalars.isEmpty)
    #expect(try Tensor<Float>(repeating: 4, shape: []).scalars == [4])
  }

  @Test func everyScalarKeepsItsValues() throws {
    func check<S: TensorScalar & Equatable>(_ values: [S]) throws {
      let tensor = try Tensor(values, shape: [values.count])
      #expect(tensor.scalars == values)
      #expect(tensor.anyTensor.dataType == S.dataType)
      #expect(try Tensor<S>(tensor.anyTensor) == tensor)
    }
    try check([1.5, -2] as [Float])
    try check([1.5, -2] as [Double])
    try check([1.5, -2] as [Float16])
    try check([-128, 127] as [Int8])
    try check([0, 255] as [UInt8])
    try check([.min, .max] as [Int16])
    try check([.min, .max] as [UInt16])
    try check([.min, .max] as [Int32])
    try check([.min, .max] as [UInt32])
    try check([.min, .max] as [Int64])
    try check([.min, .max] as [UInt64])
    try check([true, false])
  }

  @Test func wrongShapes() {
    #expect(code { _ = try Tensor([1, 2] as [Float], shape: [3]) } == .wrongShape)
    #expect(code { _ = try Tensor<Float>(repeating: 0, shape: [2, -1]) } == .wrongShape)
    #expect(code { _ = try Tensor<Float>(repeating: 0, shape: [.max, .max]) } == .wrongShape)
  }

  @Test func wrongType() throws {
    let bytes = try Tensor([1, 2] as [UInt8], shape: [2])
    #expect(code { _ = try Tensor<Float>(bytes.anyTensor) } == .wrongDtype)
    let short = bytes.anyTensor.withUnsafeBytes { AnyTensor(dataType: .uint8, shape: [3], bytes: $0) }
    #expect(code { _ = try Tensor<UInt8>(short) } == .wrongShape)
  }

  @Test func memoryOfTheCaller() throws {
    let released = Counter()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    do {
      let inside = UnsafeMutableRawBufferPointer(rebasing: memory[8..<24])
      var tensor = try Tensor<Float>(bytesNoCopy: inside, shape: [4]) { released.increment() }
      #expect(
        tensor.withUnsafeBufferPointer { UnsafeRawPointer($0.baseAddress) } == UnsafeRawPointer(inside.baseAddress))
      tensor.withUnsafeMutableBufferPointer { $0[0] = 1 }  // writes to a copy: the memory is somebody else's
      #expect(memory.allSatisfy { $0 == 0 })
      #expect(released.value == 1)
    }
    #expect(released.value == 1)
    #expect(code { _ = try Tensor<Float>(bytesNoCopy: memory, shape: [4]) {} } == .wrongShape)
    let crooked = UnsafeMutableRawBufferPointer(rebasing: memory[1..<17])
    #expect(code { _ = try Tensor<Float>(bytesNoCopy: crooked, shape: [4]) {} } == .invalidArgument)
  }
}

// SPDX-License-Identifier: Apache-2.0

/// The outputs of one run, by name. A value: later runs do not change it.
public struct Outputs: Sendable {
  /// In the model's order.
  public let names: [String]
  private let tensors: [String: AnyTensor]

  init(names: [String], tensors: [String: AnyTensor]) {
    self.names = names
    self.tensors = tensors
  }

  /// nil when the model has no such output.
  public subscript(name: String) -> AnyTensor? { tensors[name] }

  /// An output as numbers of a type: throws `notFound` for another name and `wrongDtype` for another type.
  public func tensor<Scalar: TensorScalar>(
    _ name: String, as type: Scalar.Type = Scalar.self
  ) throws(TealightError) -> Tensor<Scalar> {
    guard let tensor = tensors[name] else {
      throw TealightError(.notFound, "output '\(name)': not of this model, expected one of \(names)")
    }
    return try Tensor(tensor)
  }
}

// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.util.Arrays;

/**
 * An input or output of a model.
 *
 * <pre>{@code
 * try (Model model = Model.load(new File("model.tea"))) {
 *   TensorInfo image = model.getInputs().get(0);
 *   Tensor tensor = Tensor.allocate(image.getDataType(), image.getShape());
 *   System.out.println(image + " takes " + tensor.getByteSize() + " bytes");
 * }
 * }</pre>
 */
public final class TensorInfo {
  private final String name;
  private final DataType dataType;
  private final int[] shape;

  TensorInfo(String name, DataType dataType, int[] shape) {
    this.name = name;
    this.dataType = dataType;
    this.shape = shape;
  }

  public String getName() {
    return name;
  }

  public DataType getDataType() {
    return dataType;
  }

  /** Returns a copy of the dims; -1 stands for a dim that is not fixed. */
  public int[] getShape() {
    return shape.clone();
  }

  /** Returns whether every dim is fixed. */
  public boolean isFixed() {
    for (int dim : shape) {
      if (dim < 0)
        return false;
    }
    return true;
  }

  // The dims themselves: not to be changed.
  int[] shape() {
    return shape;
  }

  @Override
  public String toString() {
    return name + ": " + dataType + Arrays.toString(shape);
  }
}

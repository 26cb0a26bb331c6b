#!/usr/bin/env python3
"""Writes a Keras model's weights as a safetensors file that heed::load_keras reads.

    python export_keras.py model.keras out.safetensors

Names are the weights' paths with dots: "encoder/dense/kernel" is "encoder.dense.kernel"; a layer's prefix for
heed::load_keras is its path with a dot behind ("encoder.dense.", "sequential.conv2d."), a GRU's or LSTM's that of its cell
("gru.gru_cell."). Layers with statistics (BatchNormalization) bring them.
In a program of your own: from export_keras import save; save(model.weights, "out.safetensors").
Needs keras and safetensors (pip install keras safetensors and a backend).
"""
import sys


def save(weights, path):
    import numpy
    from safetensors.numpy import save_file

    tensors = {}
    for weight in weights:
        name = weight.path.replace("/", ".")
        if name in tensors:
            raise SystemExit(f"two weights have the path {weight.path!r}")
        tensors[name] = numpy.ascontiguousarray(numpy.asarray(weight))
    save_file(tensors, path)
    return list(tensors)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        raise SystemExit(__doc__)
    import keras

    for name in save(keras.saving.load_model(sys.argv[1]).weights, sys.argv[2]):
        print(name)

#!/usr/bin/env python3
"""heed -> PyTorch -> heed: every layer's weights come back with the bits that they went with.

    python round_trip.py PROGRAM

PROGRAM (round_trip.cpp) writes a state dict; a module of PyTorch's own layers takes it, strictly; export_torch.py
writes the module's; PROGRAM compares. Exits with 77, and says why, where torch or safetensors is not installed.
"""
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77


def module():
    from torch import nn

    sizes = dict(d_model=8, nhead=2, dim_feedforward=6, batch_first=True)
    return nn.ModuleDict({
        "gru": nn.GRU(3, 4, num_layers=2, bidirectional=True),
        "gru_cell": nn.GRUCell(3, 4),
        "lstm": nn.LSTM(3, 4, num_layers=2, bidirectional=True),
        "lstm_cell": nn.LSTMCell(3, 4),
        "attention": nn.MultiheadAttention(8, 2),
        "cross": nn.MultiheadAttention(8, 2, kdim=5, vdim=7, add_bias_kv=True),
        "encoder_layer": nn.TransformerEncoderLayer(**sizes),
        "decoder_layer": nn.TransformerDecoderLayer(**sizes),
        "transformer": nn.Transformer(num_encoder_layers=2, num_decoder_layers=2, **sizes),
        "norm": nn.LayerNorm(6),
        "embedding": nn.Embedding(5, 4),
        "linear": nn.Linear(3, 2),
        "conv1d": nn.Conv1d(2, 3, 4),
        "conv2d": nn.Conv2d(4, 6, (2, 3), groups=2, bias=False),
        "batch_norm": nn.BatchNorm1d(3),
    })


def main(program):
    for name in ("torch", "safetensors"):
        if importlib.util.find_spec(name) is None:
            print(f"skipped: {sys.executable} has no module {name}")
            return SKIPPED
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "weights"))
    from export_torch import save
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as folder:
        sent, back = pathlib.Path(folder) / "sent.safetensors", pathlib.Path(folder) / "back.safetensors"
        subprocess.run([program, "write", sent], check=True)
        layers = module()
        layers.load_state_dict(load_file(sent), strict=True)
        save(layers.state_dict(), back)
        return subprocess.run([program, "compare", back]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(main(sys.argv[1]))

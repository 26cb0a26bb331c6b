#!/usr/bin/env python3
"""RMS errors of float32 attention against a reference in double: heed beside PyTorch's flash attention.

    python3 -m venv peers && peers/bin/pip install torch numpy
    peers/bin/python benchmarks/error_figures.py --heed build/release/benchmarks/attention_values

Inputs are standard normal; an error is the root of the mean square over all seeds of 64 sampled rows of the output and
of each gradient. Exit status 1 if the geometric mean of heed / PyTorch is above 1 or a row above 1.3.
"""
import argparse, math, os, pathlib, subprocess, sys, tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--heed", required=True)
parser.add_argument("--shapes", default="1x8x128x128x64,1x8x512x512x64,1x8x1024x1024x64,1x8x2048x2048x64,"
                                        "1x1x4096x4096x64,1x4x2048x2048x128,1x8x1x2048x64,32x8x32x32x64,8x8x128x128x32")
parser.add_argument("--modes", default="full,causal,mask")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--rows", type=int, default=64)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
os.environ.update(OMP_NUM_THREADS=str(options.threads), HEED_NUM_THREADS=str(options.threads))

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.set_num_threads(options.threads)
results = ("output", "d_query", "d_key", "d_value")


def allowed(shape, mode):
    """Which keys a query sees, (batch, 1, queries or 1, keys), or None."""
    batch, _, queries, keys, _ = shape
    if mode == "full": return None
    if mode == "causal": return torch.ones(queries, keys, dtype=torch.bool).tril()[None, None]
    lengths = [3 * keys // 4] if batch == 1 else [keys - b * keys // (2 * (batch - 1)) for b in range(batch)]
    return torch.arange(keys)[None, None, None] < torch.tensor(lengths)[:, None, None, None]


def of_heed(inputs, shape, mode):
    with tempfile.TemporaryDirectory() as folder:
        for name, x in inputs.items(): x.numpy().tofile(f"{folder}/{name}.f32")
        subprocess.run([options.heed, mode, "x".join(map(str, shape)), folder], check=True)
        like = dict(zip(results, (inputs[name] for name in ("query", "query", "key", "value"))))
        load = lambda name: torch.from_numpy(np.fromfile(f"{folder}/{name}.f32", np.float32))
        return {name: load(name).view_as(x) for name, x in like.items()}


def of_torch(inputs, shape, mode):
    given = [inputs[name].clone().requires_grad_() for name in ("query", "key", "value")]
    mask = allowed(shape, mode) if mode == "mask" else None
    if mask is not None: mask = mask.expand(shape[0], 1, shape[2], shape[3])
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        output = torch.nn.functional.scaled_dot_product_attention(*given, attn_mask=mask, is_causal=mode == "causal")
    return dict(zip(results, (output.detach(), *torch.autograd.grad(output, given, inputs["d_output"]))))


def in_double(inputs, b, h, shape, mode):
    """The textbook for one head."""
    query, key, value, d_output = (inputs[name][b, h].double() for name in ("query", "key", "value", "d_output"))
    scale = 1 / math.sqrt(shape[4])
    scores = scale * query @ key.T
    mask = allowed(shape, mode)
    if mask is not None: scores = scores.masked_fill(~mask[min(b, mask.shape[0] - 1), 0], -math.inf)
    weights = torch.softmax(scores, -1)
    output = weights @ value
    d_scores = weights * (d_output @ value.T - (d_output * output).sum(-1, keepdim=True))
    return dict(zip(results, (output, scale * d_scores @ key, scale * d_scores.T @ query, weights.T @ d_output)))


def errors(shape, mode):
    """{result: {library: RMS error}} over seeds and sampled rows: of four heads where a head is much work in double."""
    squares = {name: {"heed": [], "torch": []} for name in results}
    for seed in range(options.seeds):
        random = np.random.default_rng([seed, *shape])
        batch, heads, queries, keys, dim = shape
        draw = lambda length: torch.from_numpy(random.standard_normal((batch, heads, length, dim), np.float32))
        inputs = dict(query=draw(queries), key=draw(keys), value=draw(keys), d_output=draw(queries))
        found = {"heed": of_heed(inputs, shape, mode), "torch": of_torch(inputs, shape, mode)}
        most = 4 if queries * keys > 2**18 else options.rows
        chosen = random.choice(batch * heads, min(most, batch * heads), replace=False)
        for b, h in (divmod(int(head), heads) for head in chosen):
            wanted = in_double(inputs, b, h, shape, mode)
            for name in results:
                length = wanted[name].shape[0]
                rows = random.choice(length, min(length, options.rows // len(chosen)), replace=False)
                for library, values in found.items():
                    error = values[name][b, h][rows].double() - wanted[name][rows]
                    squares[name][library].append(error.square().flatten())
    return {name: {library: torch.cat(parts).mean().sqrt().item() for library, parts in both.items()}
            for name, both in squares.items()}


print("| B x H x Tq x Tk x D | mode | result | heed | PyTorch | ratio |\n|---|---|---|---|---|---|")
ratios = []
for text in options.shapes.split(","):
    shape = tuple(map(int, text.split("x")))
    for mode in options.modes.split(","):
        if mode == "causal" and shape[2] != shape[3]: continue
        for name, both in errors(shape, mode).items():
            ratios.append(both["heed"] / both["torch"])
            cells = [text, mode, name, f"{both['heed']:.2e}", f"{both['torch']:.2e}", f"{ratios[-1]:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
print(f"\nheed / PyTorch: geometric mean {mean:.3f}, highest {max(ratios):.2f}, rows {len(ratios)}")
sys.exit(1 if mean > 1 or max(ratios) > 1.3 else 0)

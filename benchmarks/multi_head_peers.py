#!/usr/bin/env python3
"""multi_head_benchmark beside PyTorch and onnxruntime, alternating in one run.

    python3 -m venv peers && peers/bin/pip install torch onnx onnxruntime
    peers/bin/python benchmarks/multi_head_peers.py --heed build/release/benchmarks/multi_head_benchmark

Prints a Markdown table of heed's times, with the plain weights and with packed ones, and of the peers' times over the
first (above 1 heed is faster): per row the lowest median of the rounds. A call projects queries, keys and values of one input, attends and projects the result, with
biases. PyTorch: nn.MultiheadAttention in eval and inference mode (its native path where it has one), and linear layers
around scaled_dot_product_attention. onnxruntime: matrix products with constant weights, which it packs once, around
com.microsoft's MultiHeadAttention, its Attention with the projections inside, and opset 23's Attention; inputs and
outputs are bound. Every peer's result is compared with numpy's in double first.
"""
import argparse, json, math, os, re, subprocess, sys, time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--heed", required=True)
parser.add_argument("--shapes", default="1x8x512x64,1x8x128x64,16x8x64x64", help="BxHxTxD")
parser.add_argument("--modes", default="full,causal,mask")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--budget", type=float, default=0.3, help="seconds per case and peer")
parser.add_argument("--peer", help=argparse.SUPPRESS)  # one framework per process: no thread pool beside another
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np

if options.peer == "torch":
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(options.threads)
elif options.peer == "onnxruntime":
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper


def lengths(batch, keys):
    return [3 * keys // 4] if batch == 1 else [keys - b * keys // (2 * (batch - 1)) for b in range(batch)]


def visible(shape, mode):
    """(batch, query_length, key_length)."""
    batch, _, length, _ = shape
    if mode == "causal": return np.broadcast_to(np.tri(length, dtype=bool), (batch, length, length))
    keys = np.array(lengths(batch, length) if mode == "mask" else [length] * batch)
    return np.broadcast_to(np.arange(length) < keys[:, None, None], (batch, length, length))


def inputs(shape):
    batch, heads, length, dim = shape
    features = heads * dim
    random = np.random.default_rng(0)
    draw = lambda *extents: random.standard_normal(extents).astype(np.float32)
    scale = np.float32(1 / math.sqrt(features))
    return [draw(batch, length, features), draw(3 * features, features) * scale, draw(3 * features),
            draw(features, features) * scale, draw(features)]  # x, in_proj weight and bias, out_proj weight and bias


def reference(shape, mode):
    batch, heads, length, dim = shape
    x, w_in, b_in, w_out, b_out = (a.astype(np.float64) for a in inputs(shape))
    q, k, v = ((x @ w_in.T + b_in).reshape(batch, length, 3, heads, dim)).transpose(2, 0, 3, 1, 4)
    scores = np.where(visible(shape, mode)[:, None], q @ k.swapaxes(-1, -2) / math.sqrt(dim), -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return (p / p.sum(-1, keepdims=True) @ v).swapaxes(1, 2).reshape(x.shape) @ w_out.T + b_out


def torch_calls(shape, mode):
    batch, heads, length, dim = shape
    x, w_in, b_in, w_out, b_out = map(torch.from_numpy, inputs(shape))
    layer = torch.nn.MultiheadAttention(heads * dim, heads, batch_first=True).eval()
    with torch.no_grad():
        for own, given in ((layer.in_proj_weight, w_in), (layer.in_proj_bias, b_in), (layer.out_proj.weight, w_out),
                           (layer.out_proj.bias, b_out)): own.copy_(given)
    seen = torch.from_numpy(visible(shape, mode).copy())
    padding = ~seen[:, 0] if mode == "mask" else None
    future = ~seen[0] if mode == "causal" else None
    seen = seen[:, None] if mode == "mask" else None

    def native(): return layer(x, x, x, key_padding_mask=padding, attn_mask=future, is_causal=mode == "causal", need_weights=False)[0]

    def fused():
        q, k, v = F.linear(x, w_in, b_in).view(batch, length, 3, heads, dim).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=mode == "causal")
        return F.linear(y.transpose(1, 2).reshape(batch, length, heads * dim), w_out, b_out)

    def inference(call):
        def run():
            with torch.inference_mode(): return call()
        return run, lambda: run().numpy()
    return {"PyTorch MultiheadAttention": inference(native), "PyTorch sdpa": inference(fused)}


def onnxruntime_calls(shape, mode):
    batch, heads, length, dim = shape
    features = heads * dim
    x, w_in, b_in, w_out, b_out = inputs(shape)
    constants = {"w_in": w_in.T, "b_in": b_in, "w_out": w_out.T, "b_out": b_out}
    for i, name in enumerate("qkv"):
        constants["w_" + name] = w_in[i * features:][:features].T
        constants["b_" + name] = b_in[i * features:][:features]
    feeds = {"x": x}
    if mode == "mask":
        feeds["keys"] = visible(shape, mode)[:, 0].astype(np.int32)
        feeds["pairs"] = visible(shape, mode)[:, None]
    project = [node for name in "qkv" for node in (helper.make_node("MatMul", ["x", "w_" + name], ["p_" + name]),
                                                   helper.make_node("Add", ["p_" + name, "b_" + name], [name]))]
    causal, microsoft = int(mode == "causal"), {"domain": "com.microsoft", "num_heads": heads, "unidirectional": int(mode == "causal")}
    keys, pairs = (["keys"], ["pairs"]) if mode == "mask" else ([], [])
    bodies = {
        "MultiHeadAttention": project + [helper.make_node("MultiHeadAttention", ["q", "k", "v", "", *keys], ["a"], **microsoft)],
        "Attention": [helper.make_node("Attention", ["x", "w_in", "b_in", *keys], ["a"], **microsoft)],
        "opset 23": project + [helper.make_node("Attention", ["q", "k", "v", *pairs], ["a"], is_causal=causal, q_num_heads=heads,
                                                kv_num_heads=heads)]}

    def make(body):
        nodes = body + [helper.make_node("MatMul", ["a", "w_out"], ["o"]), helper.make_node("Add", ["o", "b_out"], ["y"])]
        used = {name for node in nodes for name in node.input}
        types = {"x": TensorProto.FLOAT, "keys": TensorProto.INT32, "pairs": TensorProto.BOOL}
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info(n, types[n], list(feeds[n].shape)) for n in feeds if n in used],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(x.shape))],
            [numpy_helper.from_array(np.ascontiguousarray(c), n) for n, c in constants.items() if n in used])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        setup = onnxruntime.SessionOptions()
        setup.intra_op_num_threads, setup.inter_op_num_threads, setup.log_severity_level = options.threads, 1, 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), setup, providers=["CPUExecutionProvider"])
        binding, values = session.io_binding(), {n: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(f)) for n, f in feeds.items()}
        for name in feeds:
            if name in used: binding.bind_ortvalue_input(name, values[name])
        y = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(x))
        binding.bind_ortvalue_output("y", y)

        def run(_=values): session.run_with_iobinding(binding)  # binds the inputs' memory to its own life

        def result():
            run()
            return y.numpy()
        return run, result
    return {"onnxruntime " + name: make(body) for name, body in bodies.items()}


def median_ms(call):
    for _ in range(3): call()
    begin = time.perf_counter()
    call()
    inner = max(1, int(2e-4 / (time.perf_counter() - begin)))
    samples, end = [], time.perf_counter() + options.budget
    while len(samples) < 7 or time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(inner): call()
        samples.append((time.perf_counter() - begin) / inner)
    return sorted(samples)[len(samples) // 2] * 1e3


def heed_times():
    done = subprocess.run([options.heed, f"--shapes={options.shapes}", "--benchmark_filter=^multi_head.*/float32/",
                           f"--threads={options.threads}", "--benchmark_format=json", "--benchmark_repetitions=5",
                           "--benchmark_min_time=0.05"], stdout=subprocess.PIPE, text=True, check=True)
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    for row in json.loads(done.stdout)["benchmarks"]:
        name = re.match(r"^multi_head(_packed)?/float32/(\w+)/([0-9x]+)/", row["name"])
        if name and row.get("aggregate_name") == "median":
            yield (name[3], name[2]), "heed packed" if name[1] else "heed", row["real_time"] * unit[row["time_unit"]], row["of_peak"]


def cases():
    for text in options.shapes.split(","):
        for mode in options.modes.split(","): yield text, mode, tuple(map(int, text.split("x")))


if options.peer:  # prints its times, a JSON line each
    for text, mode, shape in cases():
        wanted = reference(shape, mode)
        for name, (call, result) in (torch_calls if options.peer == "torch" else onnxruntime_calls)(shape, mode).items():
            error = np.abs(result() - wanted).max()
            if not error < 1e-4: sys.exit(f"{name} is wrong by {error} at {text} {mode}")
            print(json.dumps([text, mode, name, median_ms(call)]), flush=True)
    sys.exit()

best, of_peak = {}, {}
for _ in range(options.rounds):
    for key, name, ms, part in heed_times():
        row = best.setdefault(key, {})
        row[name] = min(ms, row.get(name, math.inf))
        if name == "heed": of_peak[key] = max(part, of_peak.get(key, 0))
    for peer in ("torch", "onnxruntime"):
        done = subprocess.run([sys.executable, *sys.argv, "--peer", peer], stdout=subprocess.PIPE, text=True, check=True)
        for line in done.stdout.splitlines():
            text, mode, name, ms = json.loads(line)
            row = best.setdefault((text, mode), {})
            row[name] = min(ms, row.get(name, math.inf))

names = [name for name in next(iter(best.values())) if not name.startswith("heed")]
print(f"| B x H x T x D | mode | heed, ms | of peak | packed, ms | {' | '.join(names)} |\n|" + "---|" * (5 + len(names)))
ratios = {"heed": [], "heed packed": []}
for text, mode, _ in cases():
    row = best[text, mode]
    for name in ratios: ratios[name].append(min(row[peer] for peer in names) / row[name])
    cells = [f"{row[name] / row['heed']:.2f}" for name in names]
    numbers = ["%.3g" % row["heed"], f"{of_peak[text, mode]:.0%}", "%.3g" % row["heed packed"]]
    print(f"| {' | '.join([text, mode, *numbers, *cells])} |")
for name, all_of in ratios.items():
    mean = math.exp(sum(map(math.log, all_of)) / len(all_of))
    print(f"\n{name} against the best peer of each row: lowest {min(all_of):.2f}, geometric mean {mean:.2f}, rows {len(all_of)}")

#!/usr/bin/env python3
"""additive_benchmark beside Keras' AdditiveAttention and PyTorch (eager and compiled), alternating in one run.

    python3 -m venv peers && peers/bin/pip install torch tensorflow-cpu keras
    peers/bin/python benchmarks/additive_peers.py --heed build/release/benchmarks/additive_benchmark [--backward]

Prints a Markdown table of heed's time and of the peers' times over it (above 1 heed is faster): per row the lowest
median of the rounds. A call projects the state, scores it against a projected memory, takes the softmax over the
visible keys and sums the values; with --backward the gradients of state, projection, v, memory and values too. Keras
runs as a tf.function; its layer's scale stands for v.
"""
import argparse, json, math, os, re, subprocess, sys, time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--heed", required=True)
parser.add_argument("--shapes", default="64x1x20x256,64x20x20x256,16x64x64x128,1x256x256x64,1x1x2000x256")
parser.add_argument("--modes", default="full,causal,mask")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--budget", type=float, default=0.3, help="seconds per case and peer")
parser.add_argument("--backward", action="store_true")
parser.add_argument("--peer", help=argparse.SUPPRESS)  # one framework per process: together their LLVMs collide
options = parser.parse_args()
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", OMP_NUM_THREADS=str(options.threads))

import numpy as np

if options.peer == "keras":
    import tensorflow as tf
    import keras
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
elif options.peer == "torch":
    import torch
    torch.set_num_threads(options.threads)
bench = "additive_fwd_bwd" if options.backward else "additive"


def lengths(batch, keys):
    return [3 * keys // 4] if batch == 1 else [keys - b * keys // (2 * (batch - 1)) for b in range(batch)]


def inputs(shape):
    batch, queries, keys, units = shape
    random = np.random.default_rng(0)
    draw = lambda *extents: random.standard_normal(extents).astype(np.float32)
    return [draw(batch, queries, units), draw(batch, keys, units), draw(batch, keys, units),  # state, memory, values
            draw(units, units) / math.sqrt(units), draw(units), draw(units) / math.sqrt(units),  # projection, bias, v
            draw(batch, queries, units)]  # the gradient of the context


def torch_call(shape, mode, compiled):
    batch, queries, keys, _ = shape
    state, memory, values, weight, bias, v, d_context = map(torch.from_numpy, inputs(shape))
    hidden = None
    if mode == "causal": hidden = torch.ones(queries, keys, dtype=torch.bool).triu(1)
    if mode == "mask": hidden = torch.arange(keys)[None, None] >= torch.tensor(lengths(batch, keys))[:, None, None]

    def read(state, memory, values, weight, bias, v):
        query = torch.nn.functional.linear(state, weight, bias)
        scores = torch.tanh(query[:, :, None] + memory[:, None]) @ v
        if hidden is not None: scores = scores.masked_fill(hidden, -math.inf)
        return torch.softmax(scores, -1) @ values

    torch._dynamo.reset()
    call = torch.compile(read, dynamic=False) if compiled else read
    given = [state, memory, values, weight, bias, v]
    if options.backward:
        given = [x.requires_grad_() for x in given]
        return lambda: torch.autograd.grad(call(*given), given, d_context)

    def forward():
        with torch.inference_mode(): return call(*given)
    return forward


def keras_call(shape, mode):
    batch, queries, keys, units = shape
    state, memory, values, weight, bias, v, d_context = inputs(shape)
    project, attend = keras.layers.Dense(units), keras.layers.AdditiveAttention()
    mask = [None, tf.sequence_mask(lengths(batch, keys), keys)] if mode == "mask" else None
    state, memory, values, d_context = map(tf.constant, (state, memory, values, d_context))
    read = lambda: attend([project(state), values, memory], mask=mask, use_causal_mask=mode == "causal")
    read()
    project.set_weights([weight.T, bias])
    attend.set_weights([v])
    given = [state, memory, values] + project.trainable_weights + attend.trainable_weights

    @tf.function
    def step():
        if not options.backward: return read()
        with tf.GradientTape() as tape:
            for x in given[:3]: tape.watch(x)
            context = read()
        return tape.gradient(context, given, output_gradients=d_context)
    return step


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
    done = subprocess.run([options.heed, f"--shapes={options.shapes}", f"--benchmark_filter=^{bench}/float32/",
                           f"--threads={options.threads}", "--benchmark_format=json", "--benchmark_repetitions=5",
                           "--benchmark_min_time=0.05"], capture_output=True, text=True, check=True)
    unit = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
    for row in json.loads(done.stdout)["benchmarks"]:
        name = re.match(rf"^{bench}/float32/(\w+)/([0-9x]+)/", row["name"])
        if name and row.get("aggregate_name") == "median":
            yield (name[2], name[1]), row["real_time"] * unit[row["time_unit"]]


def cases():
    for text in options.shapes.split(","):
        shape = tuple(map(int, text.split("x")))
        for mode in options.modes.split(","):
            if mode != "causal" or shape[1] == shape[2]: yield text, mode, shape


if options.peer:  # prints its times, a JSON line each
    for text, mode, shape in cases():
        calls = {"Keras": lambda: keras_call(shape, mode)} if options.peer == "keras" else {
            "PyTorch": lambda: torch_call(shape, mode, False),
            "PyTorch compiled": lambda: torch_call(shape, mode, True)}
        for name, make in calls.items(): print(json.dumps([text, mode, name, median_ms(make())]), flush=True)
    sys.exit()

best = {}
for _ in range(options.rounds):
    for key, ms in heed_times():
        row = best.setdefault(key, {})
        row["heed"] = min(ms, row.get("heed", math.inf))
    for peer in ("torch", "keras"):
        command = [sys.executable, *sys.argv, "--peer", peer]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for line in done.stdout.splitlines():
            text, mode, name, ms = json.loads(line)
            row = best.setdefault((text, mode), {})
            row[name] = min(ms, row.get(name, math.inf))

names = ["PyTorch", "PyTorch compiled", "Keras"]
print(f"| B x Tq x Tk x units | mode | heed, ms | {' | '.join(names)} |\n|" + "---|" * (3 + len(names)))
ratios = []
for text, mode, _ in cases():
    row = best[text, mode]
    ratios.append(min(row[name] for name in names) / row["heed"])
    cells = [f"{row[name] / row['heed']:.2f}" for name in names]
    print(f"| {' | '.join([text, mode, '%.3g' % row['heed'], *cells])} |")
mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
print(f"\nagainst the best peer of each row: lowest {min(ratios):.2f}, geometric mean {mean:.2f}, rows {len(ratios)}")

#!/usr/bin/env python3
"""What a second thread brings heed, beside what a second copy of a program that only multiplies brings this machine.

    g++ -O3 -march=native peak.cpp -o peak    # any program that prints lines {"name": "..fma_f32", "gflops_median": ..}
    benchmarks/two_threads.py --peak ./peak --build build/release/benchmarks [--rounds 5]

In every round, in turn: one copy of peak, two copies at once (their sum), and with one and two threads each the attention
forward of 1x8x1024x1024x64, the Transformer's training step and the GRU translator's. Prints the medians over the rounds,
and for each row the share of the machine's own gain that it reaches: the median of the rounds' shares. On a machine that
others use too the gain itself is below 2, and differs from round to round.
"""
import argparse, json, os, statistics, subprocess

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--peak", required=True)
parser.add_argument("--build", required=True, help="the folder of heed's benchmarks")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--rows", default="attention,transformer,gru")
options = parser.parse_args()
rows = {"attention": ("attention_benchmark", "^sdpa/float32/full/", ["--shapes=1x8x1024x1024x64"]),
        "transformer": ("transformer_benchmark", "^transformer_train_step/", []),
        "gru": ("translator_benchmark", "^gru_train_step/", [])}


def peak(copies):
    started = [subprocess.Popen([options.peak], stdout=subprocess.PIPE, text=True) for _ in range(copies)]
    total = 0
    for process in started:
        lines = [json.loads(line) for line in process.communicate()[0].splitlines()]
        total += max(line["gflops_median"] for line in lines if line["name"].endswith("fma_f32"))
    return total


def milliseconds(row, threads):
    program, pattern, more = rows[row]
    done = subprocess.run([os.path.join(options.build, program), f"--threads={threads}", f"--benchmark_filter={pattern}", *more,
                           "--benchmark_format=json", "--benchmark_repetitions=3", "--benchmark_min_time=0.2"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found, = (line for line in json.loads(done.stdout)["benchmarks"] if line.get("aggregate_name") == "median")
    return found["real_time"] * {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}[found["time_unit"]]


peaks, times = {1: [], 2: []}, {row: {1: [], 2: []} for row in options.rows.split(",")}
for _ in range(options.rounds):
    for copies in peaks: peaks[copies].append(peak(copies))
    for row, of in times.items():
        for threads in of: of[threads].append(milliseconds(row, threads))

gains = [two / one for one, two in zip(peaks[1], peaks[2])]
print(f"peak: one copy {statistics.median(peaks[1]):.1f} GFLOP/s, two at once {statistics.median(peaks[2]):.1f}, gain "
      f"{statistics.median(gains):.2f} ({min(gains):.2f} to {max(gains):.2f})")
for row, of in times.items():
    own = [one / two for one, two in zip(of[1], of[2])]
    shares = [mine / gain for mine, gain in zip(own, gains)]
    print(f"{row}: one thread {statistics.median(of[1]):.4g} ms, two {statistics.median(of[2]):.4g} ms, gain "
          f"{statistics.median(own):.2f} ({min(own):.2f} to {max(own):.2f}), share {statistics.median(shares):.2f}")

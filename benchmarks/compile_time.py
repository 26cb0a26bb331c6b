#!/usr/bin/env python3
"""What a file that calls attention costs to compile, beyond including Eigen's Tensor and xsimd.

    python3 benchmarks/compile_time.py [--compiler g++] [--eigen /usr/include/eigen3] [--runs 5]

Prints the median seconds of processor time of each file, with -O3 -march=native, and what it is above the first.
"""
import argparse, pathlib, resource, statistics, subprocess, sys, tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--compiler", default="g++")
parser.add_argument("--eigen", default="/usr/include/eigen3")
parser.add_argument("--xsimd", default="/usr/include")
parser.add_argument("--flags", default="-std=c++20 -O3 -march=native")
parser.add_argument("--runs", type=int, default=5)
options = parser.parse_args()
include = pathlib.Path(__file__).resolve().parent.parent / "include"

forward = """#include <heed/attention/scaled_dot_product.hpp>
using Heads = heed::Tensor<float, 4>;
Heads attention(const Heads& q, const Heads& k, const Heads& v) { return heed::scaled_dot_product_attention(q, k, v); }
"""
backward = forward.replace("scaled_dot_product.hpp", "scaled_dot_product_backward.hpp") + """
heed::AttentionGradients<float> gradients(const Heads& q, const Heads& k, const Heads& v, const Heads& d_output) {
  const heed::AttentionOptions<float> options{.return_logsumexp = true};
  return heed::attend_backward(d_output, q, k, v, heed::attend(q, k, v, options), options);
}
"""
shared = "#define HEED_EXTERN_TEMPLATES\n"
files = {
    "Eigen Tensor and xsimd": "#include <unsupported/Eigen/CXX11/Tensor>\n#include <xsimd/xsimd.hpp>\n",
    "forward": forward,
    "forward and backward": backward,
    "forward, HEED_EXTERN_TEMPLATES": shared + forward,
    "forward and backward, HEED_EXTERN_TEMPLATES": shared + backward,
    "the one line that instantiates": "#include <heed/instances.hpp>\n",
}


def seconds(source, folder):
    file = pathlib.Path(folder) / "file.cpp"
    file.write_text(source)
    command = [options.compiler, *options.flags.split(), "-I", str(include), "-isystem", options.eigen]
    if options.xsimd != "/usr/include": command += ["-isystem", options.xsimd]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if subprocess.run([*command, "-c", str(file), "-o", f"{folder}/file.o"]).returncode: sys.exit(1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


times = {name: [] for name in files}
with tempfile.TemporaryDirectory() as folder:
    for _ in range(options.runs):
        for name, source in files.items(): times[name].append(seconds(source, folder))
base = None
for name, runs in times.items():
    median = statistics.median(runs)
    base = median if base is None else base
    print(f"{median:6.2f} s  {median - base:+6.2f}  {name}")

#!/usr/bin/env python3
"""Peak memory of one training step of PyTorch's Transformer beyond parameters, gradients and moments (Linux): the peer of
transformer_memory, the same model and batch (512 features, 8 heads, 2048 hidden, 6 + 6 layers, vocabulary 10000, 16 pairs
of 32 tokens, Adam, no dropout), measured the same way.

    peers/bin/python benchmarks/transformer_memory_peer.py [--threads 1] [--batch 16] [--length 32]

Gradients and moments are made and a tiny model has trained before, so that what grows is what the step itself takes; the
process' peak resident memory is reset then.
"""
import argparse, os

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--length", type=int, default=32)
parser.add_argument("--steps", type=int, default=3)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(options.threads)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.memory, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def split(self, x): return x.view(x.shape[0], -1, self.heads, x.shape[2] // self.heads).transpose(1, 2)

    def forward(self, x, memory, causal):
        key, value = map(self.split, self.memory(memory).chunk(2, -1))
        y = F.scaled_dot_product_attention(self.split(self.query(x)), key, value, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(x.shape))


class Layer(nn.Module):
    def __init__(self, width, heads, hidden, decoder):
        super().__init__()
        self.self_attn, self.norm1 = Attention(width, heads), nn.LayerNorm(width)
        if decoder: self.cross_attn, self.norm2 = Attention(width, heads), nn.LayerNorm(width)
        self.linear1, self.linear2, self.norm3 = nn.Linear(width, hidden), nn.Linear(hidden, width), nn.LayerNorm(width)

    def forward(self, x, memory=None):
        x = self.norm1(x + self.self_attn(x, x, memory is not None))
        if memory is not None: x = self.norm2(x + self.cross_attn(x, memory, False))
        return self.norm3(x + self.linear2(F.relu(self.linear1(x))))


class Translator(nn.Module):
    def __init__(self, vocab, width, heads, hidden, layers):
        super().__init__()
        self.scale = width ** 0.5
        self.source, self.target = nn.Embedding(vocab, width), nn.Embedding(vocab, width)
        self.positions = nn.Parameter(torch.randn(1, 512, width) * 0.02, requires_grad=False)
        self.encoder = nn.ModuleList(Layer(width, heads, hidden, False) for _ in range(layers))
        self.decoder = nn.ModuleList(Layer(width, heads, hidden, True) for _ in range(layers))
        self.output = nn.Linear(width, vocab)

    def embed(self, table, ids): return table(ids) * self.scale + self.positions[:, :ids.shape[1]]

    def forward(self, source, target):
        x, y = self.embed(self.source, source), self.embed(self.target, target)
        for layer in self.encoder: x = layer(x)
        for layer in self.decoder: y = layer(y, x)
        return self.output(y)


def trainer(vocab, *sizes):
    """A model whose gradients and moments are there, and its step."""
    model = Translator(vocab, *sizes)
    adam = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), 1e-4)
    for p in model.parameters(): p.grad = torch.zeros_like(p) + 0 if p.requires_grad else None
    adam.step()

    def step(batch, length):
        source, target, wanted = (torch.randint(1, vocab, (batch, length)) for _ in range(3))
        adam.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(source, target).view(-1, vocab), wanted.view(-1))
        loss.backward()
        adam.step()
        return loss.item()
    return model, step


def resident(what):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(what))


_, tiny = trainer(50, 32, 2, 64, 1)
for _ in range(2): tiny(2, 4)
model, step = trainer(10000, 512, 8, 2048, 6)
count = sum(p.numel() for p in model.parameters() if p.requires_grad)
with open("/proc/self/clear_refs", "w") as refs: refs.write("5")
before = resident("VmRSS")
losses = [step(options.batch, options.length) for _ in range(options.steps)]
if not all(0 < loss < 20 for loss in losses): raise SystemExit(f"losses {losses}")
print(f"PyTorch {torch.__version__}, {count} parameters, {options.batch} x {options.length} tokens: "
      f"{resident('VmHWM') - before:.1f} MiB beyond parameters, gradients and moments ({count * 16 / 2**20:.0f} MiB)")

#!/usr/bin/env python3
"""Writes a PyTorch module's state dict as a safetensors file that heed::load_state_dict reads.

    python export_torch.py checkpoint.pt out.safetensors [--key model] [--prefix encoder.]

checkpoint.pt: what torch.save() wrote, a module or a state dict, or a dict that holds one under --key. Tensors keep their
names and types. In a program of your own: from export_torch import save; save(module.state_dict(), "out.safetensors").
Needs torch and safetensors (pip install torch safetensors).
"""
import argparse


def save(state_dict, path, prefix=""):
    from safetensors.torch import save_file

    chosen = {name[len(prefix):]: tensor for name, tensor in state_dict.items() if name.startswith(prefix)}
    if not chosen:
        raise SystemExit(f"no tensor's name begins with {prefix!r}")
    # clone: tied tensors share memory, which the format does not have
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in chosen.items()}, path)
    return len(chosen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--key", help="where the state dict lies in the checkpoint")
    parser.add_argument("--prefix", default="", help="only the tensors under this name, without it")
    options = parser.parse_args()
    import torch

    found = torch.load(options.checkpoint, map_location="cpu", weights_only=False)
    if options.key:
        found = found[options.key]
    if isinstance(found, torch.nn.Module):
        found = found.state_dict()
    count = save(found, options.out, options.prefix)
    print(f"{options.out}: {count} tensors")


if __name__ == "__main__":
    main()

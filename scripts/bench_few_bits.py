#!/usr/bin/env python3
"""Derivatives in few bits: what they lose, what a small GPT loses by them, and what is kept for its backward.

scripts/bench_few_bits.py [--steps 500] [--seeds 5] [--backends torch "lean(bits=2)"] [--activation gelu] [--threads 2]
scripts/bench_few_bits.py --registry

Trains the zoo's language model on Python's help texts: each seed gives all backends the same weights and batches. Bytes
are those of the tensors that one step keeps, by hooks on saved tensors, each storage once, parameters left out. With
--registry, the error of the derivative over the registry's elementwise activations instead.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.kernels.backends import Accelerated
from lightning_acts.zoo import LanguageModel, Prose


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--backends", nargs="+", default=["torch", "lean", "lean(bits=1)", "lean(bits=2)", "lean(bits=4)"]
    )
    parser.add_argument("--activation", default="gelu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--registry", action="store_true")
    return parser.parse_args()


def slopes(module: nn.Module, x: Tensor) -> Tensor:
    """Return the derivative of a module at each element, as its backward has it."""
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(module(x), x, torch.ones_like(x), materialize_grads=True)
    return found


def errors(bits: int, x: Tensor) -> list[float]:
    """Return the root mean square of what each activation's derivative loses, in parts of that of the derivative."""
    found = []
    for name in acts.names(kind="elementwise", learnable=False, stochastic=False):
        try:
            module, exact = acts.create(name, backend=f"lean(bits={bits})"), acts.create(name)
        except acts.SpecError:  # it has no defaults
            continue
        if isinstance(module, Accelerated) and exact(x.clone().requires_grad_()).requires_grad:
            expected = slopes(exact, x)
            lost = (slopes(module, x) - expected).square().nanmean() / expected.square().nanmean()
            found.append(float(lost.nan_to_num().sqrt()))
    return sorted(found)


def kept(model: LanguageModel, tokens: Tensor, targets: Tensor) -> tuple[int, int]:
    """Return the bytes that a step keeps for its backward: within the activations, and in all."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    sizes: dict[int, int] = {}
    inside: dict[int, int] = {}
    within: list[nn.Module] = []
    held: list[Tensor] = []  # else the memory of one is given to the next

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
            if within:
                inside[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)
        return tensor.detach()  # an output that held itself would never be freed

    hooks = []
    for block in model.blocks.modules():
        if isinstance(act := getattr(block, "act", None), nn.Module):
            hooks.append(act.register_forward_pre_hook(lambda module, _: within.append(module)))
            hooks.append(act.register_forward_hook(lambda *_: within.clear()))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.loss(model(tokens), targets)
    for hook in hooks:
        hook.remove()
    return sum(inside.values()), sum(sizes.values())


def trained(backend: str, given: argparse.Namespace, seed: int) -> tuple[float, float, tuple[int, int]]:
    """Return the loss on the validation part after training, the seconds of it, and the bytes kept a step."""
    data = Prose(context=64, batch_size=16)
    data.setup()
    torch.manual_seed(seed)
    model = LanguageModel(vocab_size=data.vocab_size, context=64, activation=given.activation)
    acts.optimize(model, backend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=given.steps)
    torch.manual_seed(seed)
    step, begin, memory = 0, time.process_time(), (0, 0)
    while step < given.steps:
        for tokens, targets in data.train_dataloader():
            if step == 0:
                memory = kept(model, tokens, targets)
            loss = model.loss(model(tokens), targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            step += 1
            if step == given.steps:
                break
    seconds = time.process_time() - begin
    with torch.no_grad():
        losses = [
            F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten()) for tokens, targets in data.val_dataloader()
        ]
    return float(torch.stack(losses).mean()), seconds, memory


def compare_errors() -> None:
    """Print the errors of all activations as a table in Markdown."""
    x = 1.5 * torch.randn(4096, generator=torch.Generator().manual_seed(0))
    print("| bits | activations | exact | error: median | 90 % | worst |\n|---|---|---|---|---|---|")
    for bits in range(1, 5):
        found = errors(bits, x)
        row = [statistics.median(found), found[int(0.9 * len(found))], found[-1]]
        exact = sum(error < 1e-6 for error in found)
        print(f"| {bits} | {len(found)} | {exact} | {' | '.join(f'{100 * one:.1f} %' for one in row)} |", flush=True)


def compare_training(given: argparse.Namespace) -> None:
    """Train with each backend, and print a table in Markdown."""
    print("| backend | validation loss | beside the first | kept by activations | kept by the step | CPU time a step |")
    print("|---|---|---|---|---|---|", flush=True)
    results: dict[str, list[tuple[float, float, tuple[int, int]]]] = {backend: [] for backend in given.backends}
    for seed in range(given.seeds):
        for backend, runs in results.items():  # in turn, so that other processes matter less
            runs.append(trained(backend, given, seed))
    first = [loss for loss, _, _ in results[given.backends[0]]]
    for backend, runs in results.items():
        losses = [loss for loss, _, _ in runs]
        apart = [one - other for one, other in zip(losses, first, strict=True)]
        within, whole = (size / 2**20 for size in runs[0][2])
        seconds = statistics.median(seconds for _, seconds, _ in runs) / given.steps
        print(
            f"| `{backend}` | {_spread(losses)} | {_spread(apart)} | {within:.2f} MiB | {whole:.2f} MiB | "
            f"{1000 * seconds:.1f} ms |"
        )


def _spread(values: list[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ± {spread:.4f}"


def main() -> None:
    """Print a table in Markdown."""
    given = parsed()
    torch.set_num_threads(given.threads)
    if given.registry:
        compare_errors()
    else:
        compare_training(given)


if __name__ == "__main__":
    main()

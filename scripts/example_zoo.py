"""Four of the zoo's configs in one picture: a photograph by ReLU and by sine, a VAE's plane, a PINN and a GPT's text.

Trains them, which takes two minutes on two CPU cores, and writes docs/images/zoo.png.
"""

from __future__ import annotations

import argparse
import tempfile
import textwrap
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch

from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.training import Result, train, trained_model

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

CONFIGS = ("relu_image", "siren_image", "vae_digits", "pinn_burgers", "gpt_swiglu")


def trained(name: str, out: Path) -> tuple[Any, Any, Result]:
    """Train a config; return model, data and result."""
    checked = check_config(load([name]))
    result = train(checked, out, lambda folder: None)
    data = checked.data.make()
    data.setup()
    return trained_model(checked, result.folder).eval(), data, result


@torch.no_grad()
def draw(runs: Mapping[str, tuple[Any, Any, Result]]) -> Figure:
    """Return the picture of all runs, in order: fields, plane, equation, text."""
    figure = plt.figure(figsize=(10, 4.6), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    above, below = parts
    panels = above.subplots(1, 3)
    coordinates, photograph = runs["siren_image"][1].grid()
    fields = {"photograph, 48 x 48 pixels": photograph}
    for name, label in (("relu_image", "MLP with ReLU"), ("siren_image", "MLP with sine")):
        model, _, result = runs[name]
        field = model(coordinates.flatten(0, -2)).reshape(photograph.shape)
        fields[f"{label}: {result.metrics['test/psnr']:.0f} dB"] = field
    for axes, (title, field) in zip(panels, fields.items(), strict=True):
        axes.imshow((field / 2 + 0.5).clamp(0, 1))
        axes.set_title(title, fontsize=9)

    left, middle, right = below.subplots(1, 3)
    vae = runs["vae_digits"][0]
    ticks = torch.special.ndtri(torch.linspace(0.03, 0.97, 10))
    plane = torch.cartesian_prod(-ticks, ticks).flip(1)
    images = vae.image(vae.decode(plane.unsqueeze(1)).squeeze(1))
    left.imshow(images.reshape(10, 10, 8, 8).transpose(1, 2).reshape(80, 80), cmap="gray_r", interpolation="nearest")
    left.set_title("VAE with SiLU: plane of its two latents", fontsize=9)

    model, data, result = runs["pinn_burgers"]
    points, solution = data.grid()
    middle.imshow(model(points.flatten(0, 1)).reshape(solution.shape[:2]), cmap="RdBu", aspect="auto", origin="lower")
    error = 100 * result.metrics["test/relative_error"]
    middle.set_title(f"PINN with tanh, Burgers' equation: {error:.0f} % off", fontsize=9)
    middle.set(xlabel=model.equation.coordinates[1], ylabel=model.equation.coordinates[0])

    model, data, result = runs["gpt_swiglu"]
    torch.manual_seed(0)
    tokens = model.generate(next(iter(data.test_dataloader()))[0][:1, :8], 700, temperature=0.7)
    text = data.decode(tokens[0].tolist())
    lines = textwrap.wrap(" ".join(text.split()), width=46)[:11]
    right.text(0, 0.97, "\n".join(lines), family="monospace", fontsize=7.5, va="top", linespacing=1.6)
    right.set_frame_on(False)
    right.set_title("GPT with SwiGLU, after 3 epochs on Python's help", fontsize=9)
    for axes in (*panels, left, middle, right):
        axes.set(xticks=[], yticks=[])
    return figure


def main() -> None:
    """Train and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "zoo.png")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        figure = draw({name: trained(name, Path(folder)) for name in CONFIGS})
    figure.savefig(options.out, dpi=100)


if __name__ == "__main__":
    main()

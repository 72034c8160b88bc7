import pytest
import torch

from lightning_acts.zoo import Waveforms


def test_means_are_those_of_the_formula() -> None:
    data = Waveforms(count=30_000, val_fraction=0.01, test_fraction=0.01)
    data.setup()
    samples, labels = data._parts["train"].dataset.tensors  # type: ignore[attr-defined]

    def wave(center: int) -> list[float]:
        return [max(6 - abs(t - center), 0) for t in range(1, 22)]

    pairs = [(11, 15), (11, 7), (15, 7)]
    for label, (one, other) in enumerate(pairs):
        expected = [(a + b) / 2 for a, b in zip(wave(one), wave(other), strict=True)]
        torch.testing.assert_close(samples[labels == label].mean(0)[0], torch.tensor(expected), atol=0.06, rtol=0)
    assert samples[labels == 0][:, 0, 0].std() == pytest.approx(1, abs=0.03)  # where both waves are 0, there is noise


def test_they_depend_on_their_seed_alone() -> None:
    def first(**options: int) -> torch.Tensor:
        torch.rand(3)
        data = Waveforms(count=60, **options)
        data.setup()
        found: torch.Tensor = next(iter(data.test_dataloader()))[0]
        return found

    assert torch.equal(first(), first())
    assert not torch.equal(first(), first(data_seed=1))
    with pytest.raises(ValueError, match=r"Waveforms\(count=3\): at least 30"):
        Waveforms(count=3)

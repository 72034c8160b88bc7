import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from lightning_acts.zoo import DigitPairs
from lightning_acts.zoo.data.digit_pairs import partners


def parts(**options: object) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    data = DigitPairs(batch_size=10_000, **options)  # type: ignore[arg-type]
    data.setup()
    found = {}
    for name, loader in (
        ("val", data.val_dataloader()),
        ("test", data.test_dataloader()),
        ("train", data.train_dataloader()),
    ):
        ((left, right), labels), *others = loader
        assert not others
        found[name] = (left, right, labels)
    return found


def digit_of() -> dict[tuple[float, ...], int]:
    bunch = load_digits()
    return {tuple(row): int(digit) for row, digit in zip((bunch.data / 16).tolist(), bunch.target, strict=True)}


def test_halves_belong_together_if_they_are_of_one_image() -> None:
    digits = digit_of()
    halves: dict[tuple[float, ...], set[int]] = {}
    for row, digit in digits.items():
        halves.setdefault(tuple(torch.tensor(row).view(8, 8)[:, 4:].flatten().tolist()), set()).add(digit)
    for left, right, labels in parts().values():
        whole = torch.cat([left, right], dim=3).flatten(1).tolist()
        together = torch.tensor([tuple(row) in digits for row in whole])
        assert together[labels == 1].all()
        assert not together[labels == 0].any()
        assert labels.double().mean() == 0.5


def test_images_belong_together_if_they_are_of_one_digit() -> None:
    digits = digit_of()
    for left, right, labels in parts(pairs="images").values():
        one, other = (torch.tensor([digits[tuple(row)] for row in side.flatten(1).tolist()]) for side in (left, right))
        assert torch.equal((one == other).long(), labels)
        assert (left != right).flatten(1).any(dim=1).all()
        assert labels.double().mean() == 0.5


def test_no_image_is_in_two_parts() -> None:
    found = [
        set(map(tuple, torch.cat([left, right]).flatten(1).tolist()))
        for left, right, _ in parts(pairs="images").values()
    ]
    assert sum(map(len, found)) == len(set.union(*found)) == 1797


def test_pairs_depend_on_their_seed_alone() -> None:
    torch.manual_seed(1)
    one = parts()["test"]
    torch.manual_seed(2)
    same, other = parts()["test"], parts(split_seed=1)["test"]
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[1], other[1])


def test_partners() -> None:
    labels = torch.arange(60) % 3
    generator = torch.Generator().manual_seed(0)
    alike, others = (partners(labels, generator, alike=alike) for alike in (True, False))
    assert (labels[alike] == labels).all()
    assert (alike != torch.arange(60)).all()
    assert (labels[others] != labels).all()
    assert len(set(others.tolist())) > 20


@pytest.mark.parametrize("options", [{"pairs": "quarters"}, {"batch_size": 0}])
def test_mistakes(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"DigitPairs\\({next(iter(options))}="):
        DigitPairs(**options)  # type: ignore[arg-type]

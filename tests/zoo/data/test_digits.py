from collections import Counter

import pytest
import torch
from sklearn.datasets import load_digits

from lightning_acts.zoo import Digits


def parts(**options: float) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    data = Digits(**options)  # type: ignore[arg-type]
    data.setup()
    loaders = {"train": data.train_dataloader(), "val": data.val_dataloader(), "test": data.test_dataloader()}
    found = {}
    for name, loader in loaders.items():
        images, labels = zip(*[loader.dataset[index] for index in range(len(loader.dataset))], strict=True)  # type: ignore[arg-type]
        found[name] = (torch.stack(images), torch.stack(labels))
    return found


def test_every_image_is_in_one_part() -> None:
    found = parts()
    images = torch.cat([part[0] for part in found.values()]).flatten(1)
    originals = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    assert sorted(map(tuple, images.tolist())) == sorted(map(tuple, originals.tolist()))
    assert images.min() == 0
    assert images.max() == 1


def test_every_part_has_its_share_of_each_digit() -> None:
    for _, labels in parts().values():
        counts = Counter(labels.tolist())
        assert set(counts) == set(range(10))
        assert max(counts.values()) - min(counts.values()) <= 0.2 * len(labels) / 10 + 1


def test_the_split_depends_on_its_seed_alone() -> None:
    torch.manual_seed(1)
    one = parts()["test"][0]
    torch.manual_seed(2)
    assert torch.equal(one, parts()["test"][0])
    assert not torch.equal(one, parts(split_seed=1)["test"][0])


def test_sizes() -> None:
    data = Digits(batch_size=50, image_size=16)
    data.setup("fit")
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (50, 1, 16, 16)
    assert labels.dtype == torch.long
    assert all(len(labels) == 50 for _, labels in data.train_dataloader())


def test_training_batches_follow_the_seed() -> None:
    data = Digits()
    data.setup()
    orders = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        orders.append(torch.cat([labels for _, labels in data.train_dataloader()]).tolist())
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"image_size": 4}, {"num_workers": -1}, {"val_fraction": 0.0}, {"test_fraction": -0.1}, {"val_fraction": 0.5, "test_fraction": 0.5}],
)  # fmt: skip
def test_impossible_arguments(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Digits\\({next(iter(options))}=|Digits\\(val_fraction="):
        Digits(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"test_fraction": 0.002}, {"val_fraction": 0.749}])
def test_a_part_too_small_for_every_digit(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="can't hold one of each of the 10 digits"):
        Digits(**options).setup()  # type: ignore[arg-type]

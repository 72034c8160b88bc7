import pytest
import torch

from lightning_acts.zoo import Digits, ManyDigits


def made(**options: int) -> ManyDigits:
    data = ManyDigits(**{"train_images": 200, **options})
    data.setup()
    return data


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_fields_hold_digits_of_their_part_and_are_told(part: str) -> None:
    known = {tuple(image.flatten().tolist()): int(label) for image, label in Digits().parts()[part]}  # type: ignore[attr-defined]
    counts = []
    for image, present in made()._parts[part]:  # type: ignore[attr-defined]
        fields = [image[0, top : top + 8, left : left + 8] for top in (0, 8) for left in (0, 8)]
        held = [known[tuple(field.flatten().tolist())] for field in fields if field.any()]
        assert present.nonzero().flatten().tolist() == sorted(set(held))
        counts.append(len(held))
    assert set(counts) == {1, 2, 3, 4}


def test_sizes_and_seeds() -> None:
    data = made(split_seed=1)
    assert {name: len(part) for name, part in data._parts.items()} == {"train": 200, "val": 30, "test": 50}  # type: ignore[arg-type]
    images, present = next(iter(data.train_dataloader()))
    assert (images.shape, present.shape, present.dtype) == ((32, 1, 16, 16), (32, 10), torch.long)
    assert torch.equal(data._parts["val"][3][0], made(split_seed=1)._parts["val"][3][0])
    assert not torch.equal(data._parts["val"][3][0], made()._parts["val"][3][0])


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"ManyDigits\(train_images=0\): at least 1"):
        ManyDigits(train_images=0)
    with pytest.raises(ValueError, match=r"ManyDigits\(val_fraction=1.0"):
        ManyDigits(val_fraction=1.0)

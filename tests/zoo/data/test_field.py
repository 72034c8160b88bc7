import pytest
import torch

from lightning_acts.zoo import SignalField
from lightning_acts.zoo.data.field import Points, centers


def test_a_batch_is_its_samples() -> None:
    points = Points(torch.arange(5.0), torch.arange(5) * 10, passes=2)
    batch = points.__getitems__([0, 4, 7])
    singles = [points[index] for index in (0, 4, 7)]
    assert len(points) == 10
    assert [column.tolist() for column in batch] == [[0, 4, 2], [0, 40, 20]]
    assert [tuple(map(float, sample)) for sample in singles] == [(0, 0), (4, 40), (2, 20)]


def test_centers_of_a_grid() -> None:
    assert centers(2, 4).shape == (2, 4, 2)
    assert centers(2, 4)[1, 0].tolist() == [0.5, -0.75]


def test_an_epoch_goes_over_each_point_as_often_as_said() -> None:
    data = SignalField(size=100, held_out=0.0, passes=3, batch_size=50)
    data.setup()
    times = torch.cat([batch[0] for batch in data.train_dataloader()]).flatten()
    assert times.unique(return_counts=True)[1].tolist() == [3] * 100
    assert sum(len(batch[0]) for batch in data.test_dataloader()) == 100


def test_points_that_are_held_out_are_in_one_part() -> None:
    data = SignalField(size=100, held_out=0.4)
    parts = data.parts()
    times = {part: set(points.columns[0].flatten().tolist()) for part, points in parts.items()}  # type: ignore[attr-defined]
    assert {part: len(found) for part, found in times.items()} == {"train": 60, "val": 20, "test": 20}
    assert len(set.union(*times.values())) == 100


@pytest.mark.parametrize("options", [{"passes": 0}, {"held_out": 1.0}, {"held_out": -0.1}, {"batch_size": 0}])
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"SignalField\({next(iter(options))}="):
        SignalField(**options)  # type: ignore[arg-type]

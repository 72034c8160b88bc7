import pytest
import torch

from lightning_acts.zoo.data.loading import EpochShuffle, ResumableLoader


def batches(loader: ResumableLoader) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    torch.manual_seed(4)
    one, other = EpochShuffle(50), EpochShuffle(50)
    torch.rand(10)
    assert list(one) == list(one) == list(other)
    assert sorted(one) == list(range(50))
    one.set_epoch(1)
    assert list(one) != list(other)
    torch.manual_seed(5)
    assert list(EpochShuffle(50)) != list(other)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("given", [0, 1, 3, 4])
def test_it_goes_on_where_another_stopped(given: int, workers: int) -> None:
    data = list(range(23))
    torch.manual_seed(1)
    loader = ResumableLoader(data, batch_size=5, num_workers=workers)
    loader.sampler.set_epoch(2)  # type: ignore[attr-defined]
    whole = batches(ResumableLoader(data, batch_size=5)) and batches(loader)
    iterator = iter(loader)
    for _ in range(given):
        next(iterator)
    state = loader.state_dict()
    again = ResumableLoader(data, batch_size=5, num_workers=workers)
    again.load_state_dict(state)
    again.sampler.set_epoch(state["epoch"])  # type: ignore[attr-defined]
    if given:
        assert state == {"epoch": 2, "given": given}
        assert batches(again) == whole[given:]
        assert len(again) == len(whole)


def test_after_the_last_batch_comes_the_next_epoch() -> None:
    torch.manual_seed(1)
    loader = ResumableLoader(list(range(10)), batch_size=5)
    batches(loader)
    again = ResumableLoader(list(range(10)), batch_size=5)
    again.load_state_dict(loader.state_dict())
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    assert again.sampler.epoch == 1  # type: ignore[attr-defined]
    assert batches(again) == batches(loader)

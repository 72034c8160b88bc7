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
        assert state == {"epoch": 2, "given": given, "processes": 1}
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


@pytest.mark.parametrize("size", [1, 7, 12])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_order_of_one(size: int, processes: int) -> None:
    one = EpochShuffle(size, seed=3)
    shares = [EpochShuffle(size, 3, processes, rank) for rank in range(processes)]
    for sampler in (one, *shares):
        sampler.set_epoch(2)
    orders = [list(share) for share in shares]
    assert {len(order) for order in orders} == {len(share) for share in shares} == {-(-size // processes)}
    together = [index for several in zip(*orders, strict=True) for index in several]
    assert together[:size] == list(one)
    assert set(together[size:]) <= set(range(size))


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 1), (1, 2)])
def test_it_goes_on_over_as_many_processes_or_others(before: int, after: int) -> None:
    def share(rank: int, processes: int) -> ResumableLoader:
        return ResumableLoader(list(range(24)), batch_size=2, sampler=EpochShuffle(24, 0, processes, rank))

    given = []
    for rank in range(before):
        loader = share(rank, before)
        iterator = iter(loader)
        given += [index for _ in range(4) for index in next(iterator).tolist()]
    for rank in range(after):
        again = share(rank, after)
        again.load_state_dict(loader.state_dict())
        given += [index for batch in batches(again) for index in batch]
    assert sorted(given) == list(range(24))

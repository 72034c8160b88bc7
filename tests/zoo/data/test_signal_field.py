import math

import pytest

from lightning_acts.zoo import SignalField


@pytest.mark.parametrize("signal", ["chirp", "harmonics", "steps"])
def test_signals_stay_in_their_range(signal: str) -> None:
    times, values = SignalField(signal, size=400).grid()
    assert times.shape == values.shape == (400, 1)
    assert 0.5 < values.abs().max() <= 1


def test_the_chirp_is_its_formula() -> None:
    times, values = SignalField("chirp", size=10).grid()
    for t, value in zip(times.flatten().tolist(), values.flatten().tolist(), strict=True):
        assert value == pytest.approx(math.sin(2 * math.pi * (8 * t + 4 * t * t)), abs=1e-5)


@pytest.mark.parametrize("options", [{"signal": "noise"}, {"size": 9}])
def test_mistakes(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"SignalField\({next(iter(options))}="):
        SignalField(**options)  # type: ignore[arg-type]

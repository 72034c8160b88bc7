from pathlib import Path

import pytest

from lightning_acts.runs.shipped import Expected, read_head


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(text)
    return path


def test_a_head(tmp_path: Path) -> None:
    text = "# A net\n# Expected: test/loss 1.5e-3 ± 2e-4 over seeds 0, 1, 2; 40 s on 2 CPU cores\n# More\nseed: 0\n# Not this\n"
    head = read_head(write(tmp_path, text))
    assert head.about == "A net"
    assert head.expected == Expected("test/loss", 0.0015, 0.0002, "40 s on 2 CPU cores")
    assert head.laptop == ()
    assert head.expected.band == pytest.approx((0.0007, 0.0023))


def test_a_small_spread_leaves_room_for_other_machines() -> None:
    assert Expected("test/acc", 0.5, 0.001, "1 s").band == pytest.approx((0.49, 0.51))
    assert Expected("test/psnr", -10.0, 0.0, "1 s").band == pytest.approx((-10.2, -9.8))


@pytest.mark.parametrize("words", ["On a laptop", "To try it"])
def test_a_head_of_a_large_one(tmp_path: Path, words: str) -> None:
    text = f"# A large net\n# Expected: not measured here; 76 %\n# {words}: lightning-acts train net --dry-run trainer.devices=1 a.b=2\n"
    head = read_head(write(tmp_path, text))
    assert head.expected is None
    assert head.laptop == ("trainer.devices=1", "a.b=2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 0\n", "does not begin with a comment"),
        ("#\nseed: 0\n", "does not begin with a comment"),
        ("# A net\n# Expected: test/acc 0.9\n", "neither a line 'Expected:"),
        ("# A net\n# On a laptop: lightning-acts train other --dry-run\n", "names other, not net"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_head(write(tmp_path, text))

import threading
import time

import pytest

from lightning_acts.surgery.turns import one_at_a_time


def test_threads_wait_for_each_other() -> None:
    running, most = 0, []

    @one_at_a_time
    def work() -> None:
        nonlocal running
        running += 1
        most.append(running)
        time.sleep(0.005)
        running -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most == [1, 1, 1, 1]


def test_the_turn_lasts_until_the_outermost_call_is_over() -> None:
    order: list[str] = []
    note = one_at_a_time(order.append)
    other = threading.Thread(target=note, args=("other",))

    @one_at_a_time
    def work() -> None:
        note("inner")
        other.start()
        other.join(timeout=0.05)
        order.append("outer")

    work()
    other.join(timeout=10)
    assert order == ["inner", "outer", "other"]


def test_an_error_ends_the_turn() -> None:
    @one_at_a_time
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    done: list[int] = []
    thread = threading.Thread(target=one_at_a_time(lambda: done.append(1)), daemon=True)
    thread.start()
    thread.join(timeout=2)
    assert done == [1]

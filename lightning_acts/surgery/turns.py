"""Turns of threads that change a model."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")

#: The thread that changes a model now. One step of a dictionary takes or gives it, so that an interruption can't leave
#: it taken, as it can a lock.
_TURN: dict[str, int] = {}


def one_at_a_time(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a function that changes a model, if only for a while, wait until such functions in other threads are done."""

    @functools.wraps(function)
    def alone(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        me = threading.get_ident()
        if _TURN.get("thread") == me:
            return function(*args, **kwargs)
        try:
            try:
                while _TURN.setdefault("thread", me) != me:
                    time.sleep(0.001)
                return function(*args, **kwargs)
            finally:
                if _TURN.get("thread") == me:
                    _TURN.clear()
        finally:  # where the first one was interrupted
            if _TURN.get("thread") == me:
                _TURN.clear()

    return alone

"""Places for those who may work side by side. Knows nothing of what they do."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition


class Places:
    """As many places as whoever asks for one says that there are."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._taken = 0

    @contextmanager
    def one_of(self, most: int) -> Generator[None]:
        """Wait until fewer than `most` places are taken, and keep one for a block."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken < most)
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

"""Places: how many work side by side."""

from threading import Event, Thread

import pytest

from tasks.places import Places


def test_who_finds_every_place_taken_waits_until_one_is_free() -> None:
    places, began = Places(), Event()

    def second() -> None:
        with places.one_of(1):
            began.set()

    with places.one_of(1):
        thread = Thread(target=second)
        thread.start()
        assert not began.wait(0.05)
    assert began.wait(5)
    thread.join(5)


def test_two_places_are_taken_at_once() -> None:
    places = Places()
    with places.one_of(2), places.one_of(2):
        pass


def test_a_place_is_free_again_after_a_failure() -> None:
    places = Places()
    with pytest.raises(ValueError, match="broken"), places.one_of(1):
        raise ValueError("broken")
    with places.one_of(1):
        pass

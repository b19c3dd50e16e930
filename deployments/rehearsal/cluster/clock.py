"""The time of pods: what takes a pod ten seconds takes it one at speed 10. Nothing else is scaled."""

import asyncio


class Clock:
    """Sleeps for pods."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.scaled(seconds))

    def scaled(self, seconds: float) -> float:
        """Return how long that is on the clock on the wall."""
        return seconds / self.speed

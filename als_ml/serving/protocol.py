"""HTTP as uvicorn speaks it, with the time-out for headers and the count of connections that it
lacks: who sends half a request holds nothing.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from features import bounds


class TimedProtocol(H11Protocol):
    """HTTP that does not wait for headers: a connection that does not send them in time ends."""

    waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are enough, and begin to wait for its headers."""
        super().connection_made(transport)
        if len(self.connections) > bounds.CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; whole headers end the waiting, and a next request begins it again."""
        fresh = self.waiting is None and (self.cycle is None or self.cycle.response_complete)
        if fresh:
            self._wait()
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before and self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        if self.waiting is not None:
            self.waiting.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting = self.loop.call_later(bounds.HEADER_SECONDS, self.transport.abort)

"""What a server is told at its start: where it listens, and how much one client may ask for."""

import ipaddress

from pydantic import Field

from hornbook.core.config import Config

KEY = "HORNBOOK_API_KEY"
"""The environment variable that holds the key."""


class ServeConfig(Config):
    """host, port: where to listen. key: what clients must show, None for no key. allowed_hosts:
    names that the server goes by, besides those of this machine.

    slots: answers that are written together, of one model. waiting: answers that may wait for a
    slot. context: tokens that a request may have, None for the model's own. max_tokens: of an
    answer, None for what the context leaves. body_bytes, body_s: of a request, and how long its
    head and its body may take to come. request_s: all of a request. drain_s: how long the end waits
    for what runs. connections: requests at the same time. texts: that one request may bring.
    log_texts: whether messages are logged.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    key: str | None = Field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    slots: int = Field(default=8, ge=1, le=256)
    waiting: int = Field(default=64, ge=0)
    context: int | None = Field(default=None, ge=2)
    max_tokens: int | None = Field(default=None, ge=1)
    body_bytes: int = Field(default=8 * 2**20, ge=1)
    body_s: float = Field(default=30.0, gt=0)
    request_s: float = Field(default=600.0, gt=0)
    drain_s: float = Field(default=30.0, ge=0)
    connections: int = Field(default=256, ge=1)
    texts: int = Field(default=2048, ge=1)
    log_texts: bool = False

    @property
    def sockets(self) -> int:
        """Connections at the same time, those without a request among them. Systems give a process
        1,024 files."""
        return min(2 * self.connections, 768)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

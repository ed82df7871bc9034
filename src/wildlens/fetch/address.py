"""Check and display of server addresses."""

from urllib.parse import urlsplit

from wildlens.errors import WildLensError


def check_address(address: str) -> None:
    """Raise an error unless an address is http or https, without credentials in it."""
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        sound = False
    if not sound:
        raise WildLensError(f"{shown(address)}: is not an http or https address")


def shown(address: str) -> str:
    """An address for messages and results: without its query, which may contain a token."""
    return "".join(c for c in address.partition("?")[0][:300] if c.isprintable())


def is_of_host(address: str, hosts: tuple[str, ...]) -> bool:
    """Whether the host of an address is one of these, or of one of these domains."""
    name = (urlsplit(address).hostname or "").lower()
    return any(name == host.lstrip(".") or name.endswith("." + host.lstrip(".")) for host in hosts)

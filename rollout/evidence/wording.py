"""How evidence is put into words: shares, odds, and the names of those compared."""

from __future__ import annotations

from dataclasses import dataclass

_TOO_SHORT = 0.1
_TOO_LONG = 1e6


@dataclass(frozen=True, kw_only=True)
class Names:
    """The colours of a rollout, as its sentences name them."""

    canary: str
    stable: str

    @classmethod
    def of(cls, colour: str, stable_colours: tuple[str, ...]) -> Names:
        """Several stable colours are joined by "and"; without any, they are called stable."""
        return cls(canary=colour, stable=" and ".join(stable_colours) or "stable")


def share(value: float) -> str:
    """A share from 0 to 1 in percent with two digits: "29 %", "1.1 %", "0.45 %"."""
    percent = value * 100
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.2g} %"


def odds(evidence: float) -> str:
    """An E value: "0.2:1", "64:1"."""
    if evidence < _TOO_SHORT:
        return f"under {_TOO_SHORT:g}:1"
    if evidence >= _TOO_LONG:
        return f"over {_TOO_LONG:,.0f}:1"
    return f"{evidence:,.0f}:1" if evidence >= 9.95 else f"{evidence:.1f}:1"

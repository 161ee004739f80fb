# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long a certificate is valid (RFC 5280, 4.1): read from the certificate itself, so that it is known without trusting it too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Mapping

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT
from .kind import Option, Result

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer
_MOST_DAYS = 3650
_DAY_S = 86400


@dataclass(frozen=True)
class Certificate:
    """From when until when it is valid, UTC."""

    not_before: datetime
    not_after: datetime

    def days(self, now: datetime) -> float:
        """The days that are left; negative when it has expired."""
        return (self.not_after - now).total_seconds() / _DAY_S

    def judge(self, result: Result, now: datetime, least_days: int) -> Result:
        """``result`` of a service that works, with what its certificate adds: a person has to renew it. With 0 ``least_days`` it only adds the metric.

        Expired or not yet valid is failed, fewer than ``least_days`` left is soft.
        """
        days = self.days(now)
        result = replace(result, metrics={**result.metrics, "certificate_days": round(days, 1)})
        if not least_days:
            return result
        if now < self.not_before or days < 0:
            limit = f"is not valid before {_text(self.not_before)}" if now < self.not_before else f"expired on {_text(self.not_after)}"
            return replace(result, status=FAILED, message=f"{result.message}; its certificate {limit}", remedy=REPORT)
        if days >= least_days:
            return result
        message = f"{result.message}; its certificate expires in {days:.1f} days (less than {least_days}), on {_text(self.not_after)}"
        # What is soft for another reason too stays the ladder's.
        return replace(result, status=SOFT, message=message, remedy=REPORT if result.status == HEALTHY else result.remedy)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def read(der: bytes) -> Certificate | None:
    """The validity of a certificate in DER; ``None`` when it cannot be made out."""
    try:
        at = _enter(der, _enter(der, 0, _SEQUENCE), _SEQUENCE)
        if der[at] == _VERSION:
            at = _element(der, at)[2]
        for _each in range(_BEFORE_VALIDITY):
            at = _element(der, at)[2]
        first = _enter(der, at, _SEQUENCE)
        second = _element(der, first)[2]
        return Certificate(_time(der, first), _time(der, second))
    except (IndexError, ValueError):
        return None


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, beginning of the content and end of the element at a place (X.690, 8.1)."""
    size, content = der[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, content = int.from_bytes(der[content : content + count], "big"), content + count
    if content + size > len(der):
        raise ValueError("an element ends behind the certificate")
    return der[at], content, content + size


def _enter(der: bytes, at: int, expected: int) -> int:
    tag, content, _end = _element(der, at)
    if tag != expected:
        raise ValueError(f"tag {tag:#x} instead of {expected:#x}")
    return content


def _time(der: bytes, at: int) -> datetime:
    tag, content, end = _element(der, at)
    text = der[content:end].decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"tag {tag:#x} is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _check_days(days: int) -> None:
    if not 0 <= days <= _MOST_DAYS:
        raise BadInput(f"expected certificate_days from 0 to {_MOST_DAYS}, found {days}")


# Options of every kind that judges a certificate's age.
CERTIFICATE_OPTIONS: Mapping[str, Option] = {"certificate_days": Option("int", default=14, check=_check_days)}

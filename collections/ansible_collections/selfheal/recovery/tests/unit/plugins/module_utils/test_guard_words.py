# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every word a person may type or a state may hold."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.durations import seconds_of
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_target import Known, target
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput

pytestmark = pytest.mark.property


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_duration_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    text = "".join(f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")) if number)
    if total:
        assert seconds_of(text) == total
    else:
        with pytest.raises(BadInput):
            seconds_of(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert seconds_of(text) >= 1
    except BadInput:
        pass


@given(st.one_of(st.none(), st.text(max_size=20)), st.text(max_size=20), st.lists(st.sampled_from(["a", "a/b", "a/c", "d/e"]), unique=True), st.booleans())
def test_target_is_one_that_was_named_or_the_only_one_or_refused(named: str | None, default: str, scopes: list[str], environments: bool) -> None:
    known = Known.of(scopes)
    try:
        found = target(named, {"RECOVERY_DEFAULT_SCOPE": default}, known, environments)
    except BadInput:
        return
    if named is not None:
        assert str(found) == named
    elif default:
        assert str(found) == default
    else:
        assert (str(found),) == (known.services or ("default/default",))

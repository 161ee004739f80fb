# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may act on a host."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.fence import Fence, GuardRefused, Remembered, judge

MINE, OTHER, THIRD = "a" * 32, "b" * 32, "c" * 32
BOOT = "11111111-2222-3333-4444-555555555555"


def fence_of(token=5, store=MINE, adopts=(), boot=BOOT, seconds=1600.0, scope="production/web/web1", **more):
    """A fence as an admission hands it out, at 1000 seconds since boot with a lease of ten minutes."""
    end = {"boot_id": boot, "seconds": seconds}
    return {"session_id": "recovery-1", "scope": scope, "token": token, "store_id": store, "adopts": list(adopts), "not_after": end, **more}


def ask(remembered=None, needs_s=30.0, boot=BOOT, now=1000.0, **parts):
    judge(Fence.parse(fence_of(**parts)), remembered or Remembered(), boot, now, needs_s)


def refusal(**parts):
    with pytest.raises(GuardRefused) as caught:
        ask(**parts)
    return caught.value


def test_first_one_is_obeyed():
    ask()


@pytest.mark.parametrize("token", [5, 6, 500])
def test_same_and_later_tokens_are_obeyed(token):
    ask(Remembered(MINE, 5, "recovery-0"), token=token)


def test_lower_token_is_refused():
    assert refusal(remembered=Remembered(MINE, 6, "recovery-2")).reason == "fence_stale"


def test_foreign_store_is_refused_with_the_exact_command():
    error = refusal(remembered=Remembered(OTHER, 1))
    assert error.reason == "foreign_store"
    assert f'selfheal state adopt --from {OTHER} --reason "…"' in str(error)


def test_adopted_store_is_replaced_and_its_tokens_with_it():
    ask(Remembered(OTHER, 900, "theirs"), adopts=[THIRD, OTHER])


def test_adopting_another_store_does_not_help():
    assert refusal(remembered=Remembered(OTHER, 1), adopts=[THIRD]).reason == "foreign_store"


def test_lease_of_another_boot_has_expired():
    assert refusal(boot="another").reason == "lease_expired"


def test_host_without_a_boot_id_trusts_no_lease():
    judged = Fence.parse(fence_of(boot=""))
    with pytest.raises(GuardRefused):
        judge(judged, Remembered(), "", 1000.0, 1.0)


@pytest.mark.parametrize(("now", "needs_s"), [(1570.1, 30), (1600, 0.1), (5000, 0), (1000, 601)])
def test_too_little_time_left_is_refused(now, needs_s):
    assert refusal(now=now, needs_s=needs_s).reason == "lease_expired"


def test_just_enough_time_is_enough():
    ask(now=1570.0, needs_s=30.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "production/web"},
        {"scope": "web1"},
        {"store_id": "short"},
        {"store_id": MINE.upper()},
        {"adopts": ["x"]},
        {"token": "many"},
        {"token": None},
        {"session_id": ""},
        {"not_after": None},
        {"not_after": {"boot_id": BOOT}},
        {"not_after": {"boot_id": BOOT, "seconds": "soon"}},
    ],
)
def test_fence_that_cannot_be_meant_is_bad_input(wrong):
    with pytest.raises(BadInput):
        Fence.parse({**fence_of(), **wrong})


def test_unknown_parts_are_for_others():
    assert Fence.parse(fence_of(step=3)).token == 5

# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that somebody else wrote: masked before anything else, on one line, short, and harmless to a terminal."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.excerpt import ending, excerpt
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.masking import MASK, Masker

BOTH = pytest.mark.parametrize("cut", [excerpt, ending])


@BOTH
def test_secret_with_blanks_in_it_is_masked_as_it_stands(cut):
    mask = Masker(["PASSWORD=two  blanks\tand one"]).text
    assert cut("it is two  blanks\tand one\n", mask) == f"it is {MASK}"


@BOTH
def test_blanks_are_folded_and_control_characters_replaced(cut):
    assert cut("a\r\n\n b\x1b[2J\x00", str) == "a b?[2J?"


def test_beginning_of_long_text():
    assert excerpt("0123456789", str, 5) == "0123…"
    assert excerpt("01234", str, 5) == "01234"


def test_end_of_long_text():
    assert ending("0123456789", str, 5) == "56789"

#!/usr/bin/env python3
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show and change circuit breakers: `selfheal breaker`."""

from _selfheal import hand_over

hand_over("breaker")

#!/usr/bin/env python3
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probe a service and print its verdict: `selfheal health`."""

from _selfheal import hand_over

hand_over("health")

# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Benchmarks on the lab's hosts: what a healthy sweep, a recovery and the guard state cost, each beside what people would use instead."""

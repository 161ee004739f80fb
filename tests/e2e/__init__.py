# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The product on real hosts: playbooks and commands as people run them, real engines, real SSH, real faults."""

# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make demo`: the story of a broken service and of a hopeless one, told on this machine's own Docker engine and checked while it is told."""

# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong with the container engine."""

from __future__ import annotations

from ..._domain.errors import RecoveryError


class EngineFailure(RecoveryError):
    """Root of the engine's failures. ``sent`` says that the request may have reached the engine, so that it may have been obeyed."""

    reason = "engine_error"

    def __init__(self, message: str, advice: str = "", sent: bool = False) -> None:
        super().__init__(message, advice)
        self.sent = sent


class EngineUnreachable(EngineFailure):
    """No engine to talk to: no socket, nobody listening, not allowed, or it hung up."""

    reason = "engine_unreachable"


class EngineTimeout(EngineFailure):
    """The engine did not answer within the call's deadline."""

    reason = "engine_timeout"


class EngineError(EngineFailure):
    """The engine answered with an error, or not as an engine does (``status`` 0)."""

    reason = "engine_error"

    def __init__(self, status: int, message: str, advice: str = "") -> None:
        super().__init__(f"the container engine answered {status}: {message}" if status else message, advice, sent=True)
        self.status = status
        self.said = message


class NoSuchContainer(EngineFailure):
    """No container has exactly this name: nothing was done to it."""

    reason = "container_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no container named {name!r} on this host")
        self.name = name


class ContainerNotRunning(EngineFailure):
    """Nothing can be run in a container that does not run itself."""

    reason = "container_not_running"

    def __init__(self, name: str, said: str) -> None:
        super().__init__(f"nothing can be run in container {name}: {said}")
        self.said = said


class ProgramMissing(EngineFailure):
    """The container has no such program, or cannot run it."""

    reason = "program_missing"

    def __init__(self, program: str, said: str) -> None:
        super().__init__(f"{program} cannot be run in the container: {' '.join(said.split())[:300]}", "Name a program that its image has, with its whole path")
        self.program = program

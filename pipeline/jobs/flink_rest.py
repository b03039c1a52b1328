"""What we ask of Flink's REST interface.

https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import EngineError

TIMEOUT_S = 10.0
POLL_S = 0.3
ENDED = frozenset({"FAILED", "CANCELED", "FINISHED"})
NOT_FOUND = 404
CONFLICT = 409
AWAY = frozenset({502, 503, 504})
"""Answered by proxies, and by a JobManager that has no leader yet."""


class UnreachableError(EngineError):
    """Flink does not answer; it may later."""


class RefusedError(EngineError):
    """Flink answered, and did not do it.

    Args:
        message: what was asked, and where to look.
        status: HTTP's.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class FlinkJob(NamedTuple):
    """A job that Flink knows."""

    id: str
    name: str
    state: str
    started_ms: int


class FlinkRest:
    """A Flink cluster.

    Args:
        url: of the JobManager's REST interface.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def jobs(self) -> list[FlinkJob]:
        """The jobs that the JobManager remembers, ended ones too, newest first.

        Raises:
            UnreachableError: it does not answer.
        """
        jobs = [
            FlinkJob(job["jid"], job["name"], job["state"], job["start-time"])
            for job in self._ask("GET", "/jobs/overview")["jobs"]
        ]
        return sorted(jobs, key=lambda job: job.started_ms, reverse=True)

    def restarts(self, job_id: str) -> int:
        """How often the job went back to a checkpoint.

        Raises:
            RefusedError: the JobManager has forgotten it.
            UnreachableError: it does not answer.
        """
        counts = self._ask("GET", f"/jobs/{job_id}/checkpoints")["counts"]
        restored: int = counts["restored"]
        return restored

    def cancel(self, job_id: str) -> None:
        """Ask the job to end without a savepoint; it may have ended already."""
        try:
            self._ask("PATCH", f"/jobs/{job_id}?mode=cancel")
        except RefusedError as error:
            if error.status not in (NOT_FOUND, CONFLICT):
                raise

    def stop(
        self, job_id: str, folder: str, timeout_s: float, wait: Callable[[float], Any]
    ) -> str:
        """End the job with a savepoint; where that is.

        Args:
            job_id: the job.
            folder: a URL that JobManager and TaskManagers can write to.
            timeout_s: how long it may take.
            wait: sleeps for some seconds.

        Raises:
            EngineError: there is no savepoint; the job may still run.
        """
        wanted = {"targetDirectory": folder, "drain": False}
        trigger = self._ask("POST", f"/jobs/{job_id}/stop", wanted)["request-id"]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self._ask("GET", f"/jobs/{job_id}/savepoints/{trigger}")
            if answer["status"]["id"] == "COMPLETED":
                location = answer["operation"].get("location")
                if location:
                    return str(location)
                break
            wait(POLL_S)
        raise EngineError(
            f"Flink made no savepoint in {folder}: make sure that JobManager and "
            "TaskManagers can write there"
        )

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(  # noqa: S310 - the configuration allows http(s) only
            self._url + path,
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code in AWAY:
                    raise self._unreachable() from error
            raise RefusedError(
                f"Flink answered {error.code} to {method} {request.selector}: look at "
                "the JobManager's log",
                error.code,
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable() from error
        return msgspec.json.decode(text or b"{}")

    def _unreachable(self) -> UnreachableError:
        return UnreachableError(
            f"Flink does not answer at {self._url}: start it, or set another "
            "[flink] rest"
        )

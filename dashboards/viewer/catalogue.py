"""The generated dashboards, as the server knows them: by uid, panel and variable."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dashboards.queries import used
from pipeline.errors import InputError

NAMES = ("overview", "forecast")
"""In the order of the page's tabs."""


class UnknownError(InputError):
    """There is no such dashboard or panel."""


class Dashboard:
    """One generated dashboard.

    Args:
        content: its JSON, as Grafana reads it.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.uid: str = content["uid"]
        self.variables: list[dict[str, Any]] = content["templating"]["list"]
        self._panels = {panel["id"]: panel for panel in content["panels"]}

    def summary(self) -> dict[str, str]:
        """What a tab says."""
        return {key: self.content[key] for key in ("uid", "title", "description")}

    def query(self, panel: str) -> tuple[str, int]:
        """The SQL of the panel with this id, and its format.

        Raises:
            UnknownError: there is no such panel, or it asks nothing.
        """
        found = self._panels.get(int(panel)) if panel.isdecimal() else None
        if found is None or not found.get("targets"):
            raise UnknownError(f"the dashboard {self.uid!r} has no such query panel")
        target = found["targets"][0]
        return target["rawSql"], target["format"]

    def needed(self, sql: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        """The variables that `sql` and `given` speak of, and those they rest on.

        Raises:
            InputError: `given` names a variable that the dashboard does not have.
        """
        known = {variable["name"] for variable in self.variables}
        for name in given:
            if name not in known:
                raise InputError(f"the dashboard {self.uid!r} has no such variable")
        names = used(sql) | set(given)
        chain = []
        for variable in reversed(self.variables):
            if variable["name"] in names:
                chain.append(variable)
                if variable["type"] == "query":
                    names |= used(variable["query"])
        return chain[::-1]


class Catalogue:
    """All generated dashboards."""

    def __init__(self) -> None:
        folder = files("dashboards").joinpath("generated")
        self.dashboards = [
            Dashboard(json.loads(folder.joinpath(f"{name}.json").read_bytes()))
            for name in NAMES
        ]

    def dashboard(self, uid: str) -> Dashboard:
        """The dashboard with this uid.

        Raises:
            UnknownError: there is none.
        """
        for dashboard in self.dashboards:
            if dashboard.uid == uid:
                return dashboard
        raise UnknownError("there is no such dashboard: see /api/dashboards")

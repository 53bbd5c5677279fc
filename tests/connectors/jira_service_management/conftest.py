from __future__ import annotations

from tests.connectors.jira.conftest import jira_server, site

__all__ = ["jira_server", "site"]

"""All tables of the program in one metadata: what the migrations must build."""

from __future__ import annotations

from callout.access import tables as _access
from callout.audit import tables as _audit
from callout.chatops import tables as _chatops
from callout.incidents import tables as _incidents
from callout.integrations import tables as _integrations
from callout.jobs import tables as _jobs
from callout.storage.schema import metadata
from callout.sync import tables as _sync
from callout.webhooks import tables as _webhooks

FEATURES = (_access, _audit, _chatops, _incidents, _integrations, _jobs, _sync, _webhooks)
METADATA = metadata

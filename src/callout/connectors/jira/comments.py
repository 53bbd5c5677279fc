"""Comments: all of them, with our marks, and never shown to more people than they are meant for."""

from __future__ import annotations

import re
from typing import Any, Final

from callout.connectors.jira import mapping
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.text import adf_from_markdown, markdown_from_adf
from callout.connectors.jira.wire import CommentBean
from callout.ports.errors import RejectedError
from callout.ports.ticketing import Comment, CommentDraft
from callout.ports.values import Audience

PAGE: Final = 100
IDS_PER_CALL: Final = 1000
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-!|~])")


class Comments:
    """The comments of one site's issues."""

    def __init__(self, client: JiraClient) -> None:
        self._client = client

    async def place(self, issue: str) -> tuple[str, bool]:
        """Return an issue's id, and whether customers may read its public comments."""
        bean = await self._client.get_issue(issue, fields=["project"])
        return str(bean["id"]), mapping.is_service_desk(bean["fields"])

    async def read_all(self, issue: str) -> list[Comment]:
        """Return all comments, oldest first."""
        issue_id, service_desk = await self.place(issue)
        beans: list[CommentBean] = []
        while True:
            page = await self._client.get_comments(issue_id, start_at=len(beans), max_results=PAGE)
            batch = page.get("comments", [])
            beans += batch
            if not batch or len(beans) >= page.get("total", 0):
                break
        marked = await self.with_properties(beans)
        return [self.comment(bean, issue_id, service_desk=service_desk) for bean in marked]

    async def with_properties(self, beans: list[CommentBean]) -> list[CommentBean]:
        """Return the comments with their properties, which only the lookup by ids tells."""
        properties: dict[str, Any] = {}
        for start in range(0, len(beans), IDS_PER_CALL):
            ids = [int(bean["id"]) for bean in beans[start : start + IDS_PER_CALL]]
            for bean in await self._client.get_comments_by_ids(ids):
                properties[str(bean["id"])] = bean.get("properties") or []
        return [{**bean, "properties": properties.get(str(bean["id"]), [])} for bean in beans]

    def comment(self, bean: CommentBean, issue_id: str, *, service_desk: bool) -> Comment:
        """Return one comment as REST tells it."""
        return mapping.comment(bean, issue_id, service_desk=service_desk, text=markdown_from_adf)

    async def create(self, issue: str, draft: CommentDraft) -> Comment:
        """Add a comment. Raises RejectedError where more people than its audience would read it."""
        issue_id, service_desk = await self.place(issue)
        return await self.add(issue_id, draft, service_desk=service_desk)

    async def add(self, issue_id: str, draft: CommentDraft, *, service_desk: bool) -> Comment:
        """Add a comment through the platform's API. Raises RejectedError as :meth:`create` does."""
        readers = Audience.RESPONDERS
        if service_desk and draft.audience is Audience.CUSTOMER:
            readers = Audience.CUSTOMER
        if not draft.audience.may_reach(readers):
            raise RejectedError(
                f"an {draft.audience} text cannot go to Jira, where everybody in the project reads comments",
                fields={"audience": f"reaches {readers}"},
            )
        properties: list[dict[str, Any]] = []
        if draft.key:
            properties.append({"key": mapping.COMMENT_PROPERTY, "value": {"key": draft.key}})
        hidden = service_desk and readers is not Audience.CUSTOMER
        if hidden:
            # from memory: this property is what makes a comment internal when it is made through the platform's API.
            properties.append({"key": mapping.PUBLIC_COMMENT_PROPERTY, "value": {"internal": True}})
        body: dict[str, Any] = {"body": adf_from_markdown(signed(draft))}
        if properties:
            body["properties"] = properties
        bean = await self._client.add_comment(issue_id, body)
        if hidden and bean.get("jsdPublic") is True:
            # The property above was not understood: better no comment than one that a customer reads.
            await self._client.delete_comment(issue_id, str(bean["id"]))
            raise RejectedError(
                "Jira would have shown an internal comment to the customer: it was taken back",
                fields={"audience": "this site does not keep comments internal"},
            )
        told: CommentBean = {
            **bean,
            "properties": [{"key": p["key"], "value": p["value"]} for p in properties],
        }
        return self.comment(told, issue_id, service_desk=service_desk)

    async def find(self, issue: str, key: str) -> Comment | None:
        """Return the comment that carries `key`, or None."""
        return next((comment for comment in await self.read_all(issue) if comment.mark == key), None)

    async def delete(self, issue: str, comment: str) -> None:
        """Delete a comment. Raises RecordNotFoundError."""
        await self._client.delete_comment(issue, comment)


def signed(draft: CommentDraft) -> str:
    """Return the text, opened by who said it: to Jira all our comments are by one account."""
    if not draft.author_name:
        return draft.content
    name = _MARKDOWN.sub(r"\\\1", " ".join(draft.author_name.split()))
    return f"**{name}:**\n\n{draft.content}"

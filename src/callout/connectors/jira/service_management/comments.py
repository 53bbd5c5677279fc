"""Comments on requests: internal ones by the documented way alone, so that no text for us is ever public for a moment."""

from __future__ import annotations

from dataclasses import replace

from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.comments import Comments, signed
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.service_management import marks
from callout.connectors.jira.service_management.client import ServiceDeskClient
from callout.connectors.jira.wire import CommentBean
from callout.ports.errors import ConnectorError, OutcomeUnknownError, RecordNotFoundError, RejectedError
from callout.ports.ticketing import Comment, CommentDraft
from callout.ports.values import Audience


class RequestComments(Comments):
    """The comments of one site's requests.

    A comment for the customer goes through the platform's API, which keeps our key in a property. One for responders goes through
    the service desk's API: Atlassian documents `public: false` there, and nothing for the platform's. It keeps our key in its text.
    """

    def __init__(self, client: JiraClient, desk: ServiceDeskClient, metadata: SiteMetadata) -> None:
        super().__init__(client)
        self._desk = desk
        self._metadata = metadata

    async def with_properties(self, beans: list[CommentBean]) -> list[CommentBean]:
        """Return the comments with their properties; from here on it is known which are ours."""
        await self._metadata.myself()
        return await super().with_properties(beans)

    def comment(self, bean: CommentBean, issue_id: str, *, service_desk: bool) -> Comment:
        """Return one comment. A key in the text counts in a comment of our own account only: anybody can write one."""
        comment = super().comment(bean, issue_id, service_desk=service_desk)
        if comment.mark or comment.author is None or comment.author.id != self._metadata.account_id:
            return comment
        content, key = marks.comment_read(comment.content)
        return replace(comment, content=content, mark=key)

    async def create(self, issue: str, draft: CommentDraft) -> Comment:
        """Add a comment. Raises RejectedError where more people than its audience would read it."""
        issue_id, service_desk = await self.place(issue)
        if service_desk and draft.audience is Audience.RESPONDERS:
            try:
                return await self._internal(issue_id, draft)
            except RecordNotFoundError:
                # An issue that was made without a request type is no request for the service desk's API.
                return await self.add(issue_id, draft, service_desk=service_desk)
        return await self.add(issue_id, draft, service_desk=service_desk)

    async def _internal(self, issue_id: str, draft: CommentDraft) -> Comment:
        text = marks.comment_text(signed(draft), draft.key)
        made = await self._desk.create_request_comment(issue_id, body=text, public=False)
        if made.get("public") is not False:
            await self._client.delete_comment(issue_id, str(made["id"]))
            raise RejectedError(
                "Jira made an internal comment public: it was taken back",
                fields={"audience": "this site does not keep comments internal"},
            )
        try:
            beans = await self.with_properties([await self._client.get_comment(issue_id, str(made["id"]))])
        except ConnectorError as error:
            raise OutcomeUnknownError(
                f"the comment was made (id {made['id']}) but could not be read back: {error.message}",
                detail=error.detail,
                status=error.status,
                retry_after=error.retry_after,
            ) from error
        return self.comment(beans[0], issue_id, service_desk=True)

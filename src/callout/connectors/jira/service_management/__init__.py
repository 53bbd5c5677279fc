"""Jira Service Management as a ticketing provider: the same site and client, its projects service desks."""

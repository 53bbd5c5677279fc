"""Jira Cloud and Jira Service Management as a ticketing provider."""

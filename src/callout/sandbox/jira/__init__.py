"""The Jira twin: a stateful local stand-in for Jira Cloud, its service desk and its webhooks."""

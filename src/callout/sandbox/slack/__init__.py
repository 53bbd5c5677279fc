"""The Slack twin: Web API, signed requests to the app, response URLs."""

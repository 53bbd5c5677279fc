"""PagerDuty as a ticketing provider."""

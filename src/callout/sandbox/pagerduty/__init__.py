"""A stateful stand-in for PagerDuty: REST v2, Events v2, webhooks v3."""

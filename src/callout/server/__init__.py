"""The HTTP way in: REST, webhooks, chat endpoints. Receives its services ready-made."""

"""What every twin shares: ledger, faults, webhooks, control path, serving."""

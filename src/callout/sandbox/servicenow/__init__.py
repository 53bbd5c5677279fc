"""The ServiceNow twin: an instance with its tables, journals, attachments, OAuth and business rules."""

"""ChatOps: commands, buttons, cards and notifications, whatever the chat platform.

A command is answered from one commit of ours; everything that the platform must do afterwards (channels, cards, replies) is
a job. Imports no connector: platforms are reached through `ports.chat` alone.
"""

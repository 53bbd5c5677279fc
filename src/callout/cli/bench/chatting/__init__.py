"""People of a chat platform at work, twenty at once, through each of its transports."""

"""The composition root: builds everything once from settings, and alone knows which connectors exist."""

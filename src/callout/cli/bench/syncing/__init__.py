"""What `callout bench sync` is made of: the place, the peers, and its three measures."""

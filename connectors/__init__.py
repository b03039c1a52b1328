"""Sources of messages, and the runner that drives them."""

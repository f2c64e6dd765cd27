"""The queue: which waiting contact goes to which ready agent, and why."""

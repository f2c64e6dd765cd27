"""The simulator process."""

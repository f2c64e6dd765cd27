"""The archive process."""

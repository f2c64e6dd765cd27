"""Tones: what is heard on all channels at once, and what is sent. Country plans are data in `plans/`."""

"""The display process: what the displays at the seats show."""

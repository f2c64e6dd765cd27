"""The display process: what the displays at the seats and the lamps at the front of the box show."""

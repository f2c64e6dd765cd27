"""One file per bus or chip; nothing here knows what a call is."""

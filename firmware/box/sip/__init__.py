"""The SIP worker process."""

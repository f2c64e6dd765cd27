"""The PRI worker process, one for each span."""

"""ISDN PRI: what the PRI worker makes of Q.931 calls and line signals. Sans-I/O; the stack itself is in `drivers`."""

"""`linebox up`: starts, watches and stops the processes of the box."""

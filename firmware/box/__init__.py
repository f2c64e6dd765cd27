"""The processes of the box, their supervisor and the command line: the composition root."""

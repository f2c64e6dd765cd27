"""The gateway process: boards, media plane and line machines in real time."""

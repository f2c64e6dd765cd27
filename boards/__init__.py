"""One file per telephony board, each ending in one factory `open_board(configuration)`; `base.py` is the contract."""

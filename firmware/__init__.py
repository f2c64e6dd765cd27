"""The Linebox exchange: everything between the boards and the pages. Folder order is the direction of data."""

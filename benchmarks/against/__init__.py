"""This project beside the peers and beside the limit: the same work, in one process, in turn."""

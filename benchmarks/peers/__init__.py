"""Peers: OpenFst and torch in this process, others in interpreters of their own."""

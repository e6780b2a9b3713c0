"""Exports of pots: change them, serve requests for them, count their traffic."""

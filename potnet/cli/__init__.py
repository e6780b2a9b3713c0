"""The command line: parse, call one operation, print its result. Nothing else here knows click."""

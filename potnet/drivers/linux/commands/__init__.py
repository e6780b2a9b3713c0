"""Render actions as commands of Linux tools."""

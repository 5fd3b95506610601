"""Schedules for windows, side by side."""

"""Sections drawn and written: one HTML page, Markdown, figures, their data, tables."""
from .write import write_report

__all__ = ['write_report']

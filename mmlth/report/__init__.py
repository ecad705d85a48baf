"""Sections of a report and what they become: one HTML page, Markdown, figures, data, tables."""
from .section import Figure, Picture, Reference, Section, Series
from .write import write_report

__all__ = ['Figure', 'Picture', 'Reference', 'Section', 'Series', 'write_report']

"""Parts of the LaTeX report: letters, widths of text, layout of a table, and how it is written."""

"""The parts of the HTML report as plain data for its template and scripts."""

"""What the HTML report holds, part by part, as plain data for its template and scripts."""

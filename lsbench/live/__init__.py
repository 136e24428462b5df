"""A page that shows running suites in the browser, from the same files as the reports."""

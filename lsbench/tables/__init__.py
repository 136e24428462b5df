"""From the store to pandas: tables, statistics, summaries."""

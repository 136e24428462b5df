"""Data sets, their image folders, transforms and loaders."""

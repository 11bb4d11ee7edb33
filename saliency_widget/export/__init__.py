"""An attribution in other forms: files and pages."""

"""The report of a run: one data model behind `index.html`, `report.json` and `report.md`."""

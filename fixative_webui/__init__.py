"""Fixative in AUTOMATIC1111's web UI and in Forge: a tab, an entry in Extras, an API, settings."""

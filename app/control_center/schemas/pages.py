"""The modules of the registry's pages, in the order their addresses are matched."""

from app.control_center.schemas import comparison, registration, scope_settings, subject, subject_settings, subjects

PAGES = (subjects, registration, scope_settings, comparison, subject_settings, subject)

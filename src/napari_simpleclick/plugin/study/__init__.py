"""Cases shown to a person, and a record of what the person does."""

"""The pages of the Schema Registry."""
